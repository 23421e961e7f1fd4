"""Masks and outlines of a trained network equal those that Ultralytics draws, and are right."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.pipeline import runtime
from shared.results import Bitmask, Brush, ImageSize, Polygon
from shared.settings import changed_environment
from tests.backends.detection import trained
from tests.backends.detection.conftest import Predict, data_url

pytestmark = pytest.mark.slow

NETWORK = "yolo11n-seg"
LABELS = "".join(f'<Label value="{name}"/>' for name in trained.KINDS)
UNSEEN = range(20, 24)
SIZE = ImageSize(*trained.SIZE)
# Polygons are filled at this multiple of the size, or their edge would count as inside.
SUPERSAMPLING = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ultralytics")
    made = tmp_path_factory.mktemp("trained")
    trained.save_network(NETWORK, made)
    return made


@pytest.fixture
def environment(folder: Path) -> Iterator[None]:
    settings = {"MODEL_DIR": str(folder), "DETECTION_MODEL": f"{NETWORK}.pt"}
    with changed_environment({**settings, "DETECTION_PRECISION": "f32"}):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


def mask_iou(one: Any, other: Any) -> float:
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))


def drawn_mask(result: dict[str, Any]) -> Any:
    """Return where a result is drawn: (height, width), True inside."""
    value, canvas = result["value"], np.zeros((SIZE.height, SIZE.width), np.uint8)
    if result["type"] == "brushlabels":
        canvas = Brush.from_value(value, SIZE).mask
    elif result["type"] == "bitmasklabels":
        canvas = Bitmask.from_value(value, SIZE).mask
    else:
        points = (
            np.array(Polygon.from_value(value, SIZE).points) * SUPERSAMPLING - 0.5
        )  # cv2 counts centres
        fine = np.zeros((SIZE.height * SUPERSAMPLING, SIZE.width * SUPERSAMPLING), np.uint8)
        cv2.fillPoly(fine, [np.rint(points).astype(np.int32)], 255)
        canvas = cv2.resize(fine, tuple(SIZE), interpolation=cv2.INTER_AREA) // 128
    return canvas > 0


def object_masks(results: Iterable[dict[str, Any]]) -> list[Any]:
    """Return the mask of each object, which may have a polygon for each of its parts."""
    found: dict[float, Any] = {}
    for result in results:
        score = result["score"]
        found[score] = found.get(score, False) | drawn_mask(result)
    return list(found.values())


# Minimum and mean overlap (IoU) with Ultralytics' masks.
KINDS = {
    "BrushLabels": (0.95, 0.95),
    "BitmaskLabels": (0.95, 0.95),
    "PolygonLabels": (0.9, 0.95),
}


def test_masks_are_ultralytics_own(folder: Path, predict: Predict) -> None:
    from ultralytics import YOLO

    theirs = YOLO(folder / f"{NETWORK}.pt")
    tags = "".join(f'<{k} name="{k}" toName="image">{LABELS}</{k}>' for k in KINDS)
    same: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in UNSEEN:
        pixels, truth = trained.draw_picture(number)
        results = predict(tags, {"image": data_url(pixels)})["result"]
        bgr = np.ascontiguousarray(pixels[:, :, ::-1])
        reference = theirs.predict(
            bgr, imgsz=SIZE.width, retina_masks=True, device="cpu", verbose=False
        )[0]
        masks = list(reference.masks.data.cpu().numpy() > 0)
        assert len(masks) >= len(truth)
        for kind in KINDS:
            mine = object_masks(result for result in results if result["from_name"] == kind)
            assert len(mine) == len(masks), kind
            same[kind] += [max(mask_iou(mask, one) for one in mine) for mask in masks]
        for name, mask in truth:
            brushes = [r for r in results if r["type"] == "brushlabels"]
            mine = [drawn_mask(r) for r in brushes if r["value"]["brushlabels"] == [name]]
            assert max((mask_iou(mask > 0, one) for one in mine), default=0) >= 0.6, name
    for kind, (least, mean) in KINDS.items():
        assert min(same[kind]) >= least, kind
        assert np.mean(same[kind]) >= mean, kind

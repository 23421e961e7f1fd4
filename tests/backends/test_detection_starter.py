"""The starter model reaches, on pictures it has not seen, what its README says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backends.detection.starter import examples, train
from backends.detection.starter.shapes import CLASSES, MAX_OVERLAP, Picture, draw_picture

UNSEEN = 1  # the training's seed is 0
README = train.WEIGHTS.with_name("README.md")
IMGSZ = 320
CONF = 0.4


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    ultralytics = pytest.importorskip("ultralytics")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ultralytics.data.utils.check_font", lambda font: None)  # would download it
        yield ultralytics.YOLO(train.WEIGHTS)


@pytest.fixture(scope="module")
def measured(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The figures of the README's table, by the name of their row."""
    folder = tmp_path_factory.mktemp("shapes")
    train.write_split(folder, "val", 200, UNSEEN)
    metrics = model.val(
        data=str(train.write_data_yaml(folder)),
        imgsz=IMGSZ,
        batch=8,
        device="cpu",
        workers=0,
        plots=False,
        verbose=False,
        project=str(folder),
    )
    errors, found, drawn = _edge_errors(model, [_clean_picture(i) for i in range(100)])
    return {
        "mAP50": float(metrics.box.map50),
        "mAP50-95": float(metrics.box.map),
        "found": found / drawn,
        "median": float(np.median(errors)),
        "95 %": float(np.percentile(errors, 95)),
        "within 2": float((errors.reshape(-1, 4).max(axis=1) <= 2).mean()),
        "size": train.WEIGHTS.stat().st_size / 1e6,
    }


def _clean_picture(index: int) -> Picture:
    rng = np.random.default_rng([UNSEEN, 2, index])
    long = int(rng.integers(320, 481))
    return draw_picture(rng, (long, round(long * 0.75)), style="clean")


def _edge_errors(model: Any, pictures: list[Picture]) -> tuple[NDArray[np.float64], int, int]:
    """Distances in pixels of the found edges to the true ones; shapes found; shapes drawn."""
    errors: list[float] = []
    found = drawn = 0
    for picture in pictures:
        names, boxes = _predict(model, picture.image)
        drawn += len(picture.names)
        for name, truth in zip(picture.names, picture.boxes, strict=True):
            centres = np.abs((boxes[:, :2] + boxes[:, 2:] - truth[:2] - truth[2:]) / 2).sum(axis=1)
            near = np.abs(boxes - truth)[(names == name) & (centres < 8)]
            if len(near):
                found += 1
                errors += near[near.max(axis=1).argmin()].tolist()
    return np.array(errors), found, drawn


def _predict(model: Any, image: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Names (n,) and boxes (n, 4) of an RGB image."""
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    found = model.predict(bgr, imgsz=IMGSZ, conf=CONF, device="cpu", verbose=False)[0].boxes
    names = np.array([model.names[int(index)] for index in found.cls], dtype=object)
    return names, found.xyxy.numpy().astype(np.float64)


def _stated(row: str) -> float:
    line = re.search(rf"^\| {re.escape(row)}.*\| \**([\d.]+)", README.read_text(), re.MULTILINE)
    assert line, f"README: no row {row!r}"
    return float(line[1])


def test_weights_state_what_they_are(model: Any) -> None:
    assert tuple(model.names.values()) == CLASSES
    assert model.ckpt["train_args"]["imgsz"] == IMGSZ
    assert next(model.ckpt["model"].parameters()).is_floating_point()


@pytest.mark.slow
def test_finds_unseen_shapes(measured: dict[str, float]) -> None:
    assert measured["mAP50"] >= 0.9
    assert measured["found"] >= 0.95
    assert measured["95 %"] <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "tolerance"),
    [
        ("mAP50", 0.01),
        ("mAP50-95", 0.01),
        ("found", 0.01),
        ("median", 0.05),
        ("95 %", 0.1),
        ("within 2", 0.02),
        ("size", 0.01),
    ],
)
def test_readme_states_what_is_measured(
    row: str, tolerance: float, measured: dict[str, float]
) -> None:
    assert _stated(row) == pytest.approx(measured[row], abs=tolerance), measured


def test_examples_are_what_the_script_draws_and_the_model_finds_their_shapes(
    model: Any, tmp_path: Path
) -> None:
    examples.main(["--out", str(tmp_path)])
    for number, seed in enumerate(examples.SEEDS, start=1):
        kept = examples.FOLDER / f"shapes-{number}.png"
        image = np.asarray(Image.open(kept))
        drawn = np.asarray(Image.open(tmp_path / kept.name))
        # another build of OpenCV may round otherwise
        assert np.abs(image.astype(int) - drawn).max() <= 2
        truth = draw_picture(np.random.default_rng(seed), examples.SIZE_WH, "clean", 6)
        names, boxes = _predict(model, image)
        assert sorted(names) == sorted(truth.names)
        for box in truth.boxes:
            assert np.abs(boxes - box).max(axis=1).min() <= 3
        assert kept.stat().st_size < 100_000


@pytest.mark.parametrize("style", ["clean", "rough"])
def test_pictures_repeat(style: Any) -> None:
    one, other = (draw_picture(np.random.default_rng(5), style=style) for _ in range(2))
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.boxes, other.boxes)
    assert one.names == other.names


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("seed", range(8))
def test_box_is_tight(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One shape: what differs from the ground is what the box encloses, to a pixel."""
    monkeypatch.setattr("backends.detection.starter.shapes.CLASSES", (name,))
    picture = draw_picture(np.random.default_rng(seed), (320, 240), "clean", 1)
    ground = draw_picture(np.random.default_rng(seed), (320, 240), "clean", 0)
    ys, xs = np.nonzero(np.abs(picture.image.astype(int) - ground.image).max(axis=2) > 1)
    edges = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert np.abs(picture.boxes[0] - edges).max() <= 1
    assert picture.names == (name,)


def test_boxes_lie_inside_and_overlap_little() -> None:
    for seed in range(40):
        picture = draw_picture(np.random.default_rng(seed), count=8)
        height, width = picture.image.shape[:2]
        assert (picture.boxes >= 0).all()
        assert (picture.boxes <= (width, height, width, height)).all()
        for index, box in enumerate(picture.boxes):
            for other in picture.boxes[:index]:
                sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
                smaller = min(np.prod(box[2:] - box[:2]), np.prod(other[2:] - other[:2]))
                assert np.prod(np.clip(sides, 0, None)) <= MAX_OVERLAP * smaller + 1e-9

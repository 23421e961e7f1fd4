"""Each kind of control tag trains its kind of network, from what other tags' weights share."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from shared.backend.training import TrainedWeights, TrainingRun
from shared.cli.demo.training_data.shapes import LABELS, DrawnPicture, draw_picture
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.evaluation.dataset.building import build, image_result, task

pytest.importorskip("ultralytics")

SETTINGS = {"DETECTION_MODEL": "starter", "DETECTION_IMAGE_SIZE": "96", "ENGINE": "torch"}
PICTURES, SPLIT = 8, (0.75, 0.25)


@dataclass(frozen=True)
class Case:
    """A label config whose first control tag is trained, and how its results are drawn."""

    tags: str
    task: str
    draw: Any

    @property
    def xml(self) -> str:
        return f'<View><Image name="image" value="$image"/>{self.tags}</View>'


def labels(tag: str, attrs: str = "", values: Sequence[str] = LABELS) -> str:
    inner = "".join(f'<{"Choice" if tag == "Choices" else "Label"} value="{v}"/>' for v in values)
    return f'<{tag} name="{tag.lower()}" toName="image" {attrs}>{inner}</{tag}>'


def percent_boxes(picture: DrawnPicture) -> Iterator[tuple[str, float, float, float, float]]:
    height, width = picture.pixels.shape[:2]
    shares = picture.boxes * 100 / np.array([width, height, width, height])
    for label, (left, top, right, bottom) in zip(picture.labels, shares.tolist(), strict=True):
        yield label, left, top, right - left, bottom - top


def result(picture: DrawnPicture, kind: str, label: str, value: Any, **keys: Any) -> Any:
    height, width = picture.pixels.shape[:2]
    return image_result(kind, {**value, kind: [label]}, (width, height), **keys)


def draw_boxes(picture: DrawnPicture, rotation: float = 0) -> list[Any]:
    return [
        result(
            picture,
            "rectanglelabels",
            label,
            {"x": x, "y": y, "width": w, "height": h, "rotation": rotation},
            id=f"box{number}",
        )
        for number, (label, x, y, w, h) in enumerate(percent_boxes(picture))
    ]


def draw_polygons(picture: DrawnPicture) -> list[Any]:
    return [
        result(
            picture,
            "polygonlabels",
            label,
            {"points": [[x + w / 2, y], [x + w, y + h], [x, y + h]], "closed": True},
        )
        for label, x, y, w, h in percent_boxes(picture)
    ]


def draw_choice(picture: DrawnPicture) -> list[Any]:
    chosen = {"choices": [picture.labels[0]]}
    return [{**result(picture, "choices", "", chosen), "value": chosen}]


def draw_poses(picture: DrawnPicture) -> list[Any]:
    boxes = draw_boxes(picture)
    for number, (_, x, y, w, h) in enumerate(percent_boxes(picture)):
        for label, place in (("Top", (x + w / 2, y)), ("Foot", (x + w / 2, y + h))):
            value = {"x": place[0], "y": place[1], "width": 1}
            keys = {"id": f"{label}{number}", "parentID": f"box{number}"}
            boxes.append(result(picture, "keypointlabels", label, value, **keys))
    return boxes


CASES = {
    "boxes": Case(labels("RectangleLabels"), "detect", draw_boxes),
    "turned boxes": Case(
        labels("RectangleLabels", 'canRotate="true"'), "obb", lambda p: draw_boxes(p, 20)
    ),
    "outlines": Case(labels("PolygonLabels"), "segment", draw_polygons),
    "choices": Case(labels("Choices"), "classify", draw_choice),
    "key points": Case(
        labels("KeyPointLabels", values=("Top", "Foot")) + labels("RectangleLabels"),
        "pose",
        draw_poses,
    ),
}


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with changed_environment(SETTINGS):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_tag_trains_its_kind_of_network(case: Case, tmp_path: Path) -> None:
    pictures = [draw_picture(seed) for seed in range(PICTURES)]
    tasks = [
        task(
            number,
            {"image": "data:image/png;base64," + base64.b64encode(picture.png()).decode()},
            case.draw(picture),
        )
        for number, picture in enumerate(pictures)
    ]
    dataset = build(tmp_path / "built", case.xml, tasks, "yolo", split=SPLIT).folder
    config, output = LabelConfig.parse(case.xml), tmp_path / "weights"
    control, losses = config.controls[0], []

    def report(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        losses.append(metrics["loss"])
        return True

    output.mkdir()
    run = TrainingRun(
        config, control, tuple(control.labels), dataset, None, output,
        max_epochs=2, on_epoch=report,
    )  # fmt: skip
    backend = DetectionBackend(label_config=case.xml)
    claims = {claim.control.name: claim for claim in backend.claim(config)}
    assert backend.training_obstacle(claims[control.name]) is None
    backend.train(run)
    assert len(losses) == 2
    assert np.isfinite(losses).all()

    own = {control.name: TrainedWeights("detection", output, "v1-0a0b0c0d")}
    serving = DetectionBackend(label_config=case.xml, trained_weights=own)
    claim = next(c for c in serving.claim(serving.config) if c.control.name == control.name)
    network = serving.load(claim.spec).network
    assert network.task == case.task
    assert network.class_names == LABELS
    assert serving.weights_hash(claim.spec)
    [found] = network.detect([Image(np.ascontiguousarray(pictures[0].pixels))])
    assert found.probabilities is not None or len(found) >= 0

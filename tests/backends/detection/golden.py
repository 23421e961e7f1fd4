"""Golden cases of every tag: `python -m tests.backends.detection.golden` writes golden.json again.

The detections are made up, so that the results are the same on every machine.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.detection.inputs.image_list import ImageDetections
from backends.detection.inputs.video import AlignedDetections, VideoDetections
from backends.detection.model.detections import Detections
from backends.detection.model.masks import Masks
from shared.backend.claim import Claim
from shared.pipeline import runtime
from shared.pipeline.prediction import Prediction
from shared.results import ImageSize, Video
from shared.settings import changed_environment
from tests.backends.detection.conftest import route_of
from tests.backends.detection.every_tag import SCENES, Scene
from tests.backends.detection.networks import CLASSES
from tests.e2e.compare import comparable

FILE = Path(__file__).with_name("golden.json")
SIZE = ImageSize(400, 300)
FRAMES = 12
# The third is at the edge of the image; the score of the fourth is too low to be drawn.
BOXES = ((40, 30, 140, 110), (200.5, 120.25, 300, 260), (0, 200, 60, 300), (320, 10, 390, 60))
SCORES = (0.9, 0.8, 0.625, 0.25)
INDICES = (0, 2, 1, 0)


def make_detections(kind: str, shift: float = 0.0) -> Detections:
    """Return detections of a kind of network: `detect`, `obb`, `seg`, `pose` or `cls`."""
    boxes = np.clip(np.array(BOXES, np.float32) + np.float32(shift), 0, [*SIZE, *SIZE])
    boxes = boxes.astype(np.float32)
    classes, scores = np.array(INDICES, np.int64), np.array(SCORES, np.float32)
    if kind == "cls":
        none = np.zeros(0, np.float32)
        sure = np.array([0.5, 0.125, 0.375], np.float32)
        empty = none.reshape(0, 4), none, none.astype(np.int64)
        return Detections(SIZE, CLASSES, *empty, probabilities=sure)
    extra: dict[str, Any] = {"obb": {"oriented_boxes": _make_oriented_boxes(boxes)}}.get(kind, {})
    extra |= {"masks": _make_masks(boxes)} if kind == "seg" else {}
    extra |= {"keypoints": _make_keypoints(boxes)} if kind == "pose" else {}
    return Detections(SIZE, CLASSES, boxes, scores, classes, **extra)


def _make_oriented_boxes(boxes: Any) -> Any:
    """Return the middle halves of the boxes, rotated by 30 degrees."""
    sides = boxes[:, 2:] - boxes[:, :2]
    turn = np.full((len(boxes), 1), np.pi / 6)
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, sides / 2, turn]).astype(np.float32)


def _make_masks(boxes: Any) -> Masks:
    """Return a ring in each box, whose edges run between prototype pixels: nothing is ambiguous."""
    ys, xs = np.mgrid[0:30, 0:40]
    rings = []
    for left, top, right, bottom in boxes / 10:
        across = (xs + 0.5 - (left + right) / 2) / ((right - left) / 2)
        down = (ys + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
        radius = np.hypot(across, down)
        rings.append(np.where((radius < 1) & (radius > 0.4), 8, -8))
    prototypes = np.array(rings, np.float32)
    return Masks(SIZE, np.eye(len(boxes), dtype=np.float32), prototypes, boxes, (0, 0, 40, 30))


def _make_keypoints(boxes: Any) -> Any:
    """Return three points on the diagonal of each box, the last with a low score."""
    ways = np.array([0.25, 0.5, 0.75])[None, :, None]
    places = boxes[:, None, :2] + (boxes[:, None, 2:] - boxes[:, None, :2]) * ways
    scores = np.broadcast_to(np.array([0.75, 0.5, 0.125])[None, :, None], (len(boxes), 3, 1))
    return np.concatenate([places, scores], axis=2).astype(np.float32)


def make_output(scene: Scene, claim: Claim) -> Any:
    """Return what the backend would infer for the task of a scene."""
    kind = scene.network.partition("-")[2] or "detect"
    if scene.key == "video":
        founds = [make_detections(kind, shift=3.0 * number) for number in range(FRAMES)]
        times, looked = np.arange(FRAMES) / 25, np.arange(FRAMES)
        motion = np.broadcast_to(np.eye(2, 3), (FRAMES, 2, 3))
        seen = VideoDetections(times, looked, {claim.options["network"]: founds}, motion)
        return (AlignedDetections(seen, Video(SIZE, FRAMES, 25)),)
    places = (0, 1) if scene.key == "images" else (None,)
    return [ImageDetections(n, make_detections(kind, shift=5.0 * (n or 0))) for n in places]


def predict_scene(scene: Scene) -> list[dict[str, Any]]:
    """Return the results of a scene; its networks must be in MODEL_DIR, but are not read."""
    route = route_of(scene.config)
    regions = [
        region
        for step in route.steps
        for claim in step.claims
        for region in step.backend.regions(make_output(scene, claim), claim)
    ]
    prediction = Prediction.build(regions, route.config, "golden")
    assert prediction.dropped == ()
    return list(_shorten_results(prediction.results))


def _shorten_results(results: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Number the ids, and hash masks: the bytes of a PNG depend on the encoder."""
    numbers: dict[str, str] = {}
    for result in results:
        ids = {key: result[key] for key in ("id", "parentID") if key in result}
        named = {key: numbers.setdefault(one, f"#{len(numbers)}") for key, one in ids.items()}
        yield comparable({**result, **named})


def predict_scenes(scenes: Iterable[Scene]) -> dict[str, list[dict[str, Any]]]:
    """Return the results of scenes by name."""
    with tempfile.TemporaryDirectory() as folder:
        for scene in SCENES.values():
            (Path(folder) / f"{scene.network}.pt").touch()
        with changed_environment({"MODEL_DIR": folder}):
            runtime.reset_runtime()
            made = {scene.name: predict_scene(scene) for scene in scenes}
            runtime.reset_runtime()
    return made


if __name__ == "__main__":
    lines = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(one) for one in results) + "\n]"
        for name, results in predict_scenes(SCENES.values()).items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")

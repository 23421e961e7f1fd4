"""Exported ONNX networks that give finished boxes, such as MMDetection's by MMDeploy.

Outputs: `dets` (n, 5), left, top, right, bottom and score, and `labels` (n,); or `boxes` (n, 4),
`scores` (n,) and `labels` (n,). Boxes are in pixels of the input.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends._transformers.hub import describe_folder
from backends.detection.box_models.box_model import BoxModel
from backends.detection.box_models.image_steps import ImageStep, parse_steps, prepare_image
from backends.detection.box_models.onnx_network import (
    OnnxNetwork,
    Outputs,
    installed_engines,
    open_network,
)
from backends.detection.model import parity
from backends.detection.model.detections import FoundObjects
from backends.detection.model.detector import Thresholds
from shared.errors import ModelError, truncate
from shared.media.image import Image
from shared.settings import Settings

logger = logging.getLogger(__name__)

# What MMDeploy writes beside a network, with how images are prepared for it.
PIPELINE_FILE = "pipeline.json"
# The sets of outputs that are understood.
DETS, BOXES = ("dets", "labels"), ("boxes", "scores", "labels")
EXAMPLE = '{"classes": ["cat", "dog"], "transforms": [{"type": "Resize", "size": [640, 640]}, …]}'


@dataclass(frozen=True)
class OnnxDetector:
    """A network, how images are prepared for it, and the names of its classes."""

    network: OnnxNetwork
    steps: tuple[ImageStep, ...]
    class_names: tuple[str, ...]
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        threads = ThreadPoolExecutor(self.network.concurrency, "detect")
        object.__setattr__(self, "_threads", threads)

    @classmethod
    def load(cls, place: Path, settings: Settings) -> "OnnxDetector":
        """Load a file, or the one in a folder.

        Raises:
            ModelError: a file is missing or wrong, or ENGINE cannot run the network.
        """
        file, config = _find_files(place)
        content = _read_json(config) if config.is_file() else {}
        steps = _read_steps(content, config, file)
        class_names = _read_classes(content, config, file)
        return _choose_network(file, steps, class_names, settings)

    @property
    def engine(self) -> str:
        """What it runs on."""
        return self.network.engine

    @property
    def batch_size(self) -> int:
        """Images that are prepared and run beside each other, each in a run of its own."""
        return 4 * self.network.concurrency

    def find(self, images: Sequence[Image], min_score: float) -> list[FoundObjects]:
        """Return the objects on images."""
        return list(self._threads.map(self._find_on, images))

    def _find_on(self, image: Image) -> FoundObjects:
        pixels, scale = prepare_image(self.steps, image.pixels)
        found = _read_outputs(self.network.run(pixels))
        boxes = (found.boxes / np.array(scale * 2, np.float32)).astype(np.float32)
        return found._replace(boxes=boxes)


def _read_outputs(outputs: Outputs) -> FoundObjects:
    labels = outputs["labels"].reshape(-1).astype(np.int64)
    if "dets" in outputs:
        rows = outputs["dets"].reshape(-1, outputs["dets"].shape[-1]).astype(np.float32)
        return FoundObjects(rows[:, :4], rows[:, 4], _valid(labels))
    boxes = outputs["boxes"].reshape(-1, 4).astype(np.float32)
    return FoundObjects(boxes, outputs["scores"].reshape(-1).astype(np.float32), _valid(labels))


def _valid(labels: Any) -> Any:
    """Return labels with those of filled-up rows, -1, as a class that no network has."""
    return np.where(labels < 0, np.iinfo(np.int64).max, labels)


def _choose_network(
    file: Path, steps: tuple[ImageStep, ...], class_names: tuple[str, ...], settings: Settings
) -> OnnxDetector:
    """Return the detector on ENGINE; for auto on OpenVINO if that gives ONNX Runtime's boxes."""
    if settings.engine == "torch":
        raise ModelError(f"ENGINE=torch: {file.name} runs on openvino or onnx (auto)")
    engines = [settings.engine] if settings.engine != "auto" else installed_engines()
    detectors = []
    for engine in reversed(engines):  # ONNX Runtime, which is the reference, first
        try:
            network = open_network(file, engine)
        except ModelError as error:
            if engine == engines[-1]:
                raise
            logger.warning("%s does not run on OpenVINO: %s", file.name, error)
            continue
        _check_outputs(network.outputs, file.name)
        detectors.append(OnnxDetector(network, steps, class_names))
    if len(detectors) == 2:
        try:
            _compare(*detectors)
        except ModelError as error:
            logger.warning("%s runs on ONNX Runtime: on OpenVINO %s", file.name, error)
            return detectors[0]
    return detectors[-1]


def _compare(reference: OnnxDetector, other: OnnxDetector) -> None:
    """Raise ModelError if two engines give other boxes on the images for that."""
    models = [BoxModel(one, Thresholds(1.0, parity.MIN_SCORE / 2)) for one in (reference, other)]
    expected = models[0].detect(parity.comparison_images())
    parity.check_parity(models[1].detect, expected)


def _check_outputs(names: Sequence[str], file: str) -> None:
    if not any(set(known) <= set(names) for known in (DETS, BOXES)):
        hint = "; a network of Ultralytics is loaded from its .pt" if "output0" in names else ""
        raise ModelError(
            f"{file} gives {truncate(', '.join(names), 100)}; expected: {' and '.join(DETS)}, as"
            f" MMDeploy exports, or {', '.join(BOXES)}{hint}"
        )


def _find_files(place: Path) -> tuple[Path, Path]:
    """Return the network's file and that of its description, which may be missing."""
    if place.is_file():
        return place, place.with_suffix(".json")
    files = sorted(place.glob("*.onnx"))
    if len(files) != 1:
        raise ModelError(
            f"{place.name} has {describe_folder(place)}; expected: one file .onnx, or its name in"
            f" DETECTION_MODEL ({place.name}/NAME.onnx)"
        )
    return files[0], place / "config.json"


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ModelError(f"{file.name} beside the ONNX network is no JSON object")
    return content


def _read_steps(content: Mapping[str, Any], config: Path, file: Path) -> tuple[ImageStep, ...]:
    if "transforms" in content:
        return parse_steps(content["transforms"], config.name)
    pipeline = file.with_name(PIPELINE_FILE)
    if not pipeline.is_file():
        raise ModelError(
            f"Nothing says how images are prepared for {file.name}: expected MMDeploy's"
            f' {PIPELINE_FILE} beside it, or "transforms" in {config.name}, as in {EXAMPLE}'
        )
    tasks = _read_json(pipeline).get("pipeline", {}).get("tasks", [])
    found = [task["transforms"] for task in tasks if "transforms" in task]
    if len(found) != 1:
        raise ModelError(f'{PIPELINE_FILE} has {len(found)} tasks with "transforms"; expected one')
    return parse_steps(found[0], PIPELINE_FILE)


def _read_classes(content: Mapping[str, Any], config: Path, file: Path) -> tuple[str, ...]:
    names = content.get("classes")
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise ModelError(
            f"The names of the classes of {file.name} are not known: expected a list of them as"
            f' "classes" in {config.name}, as in {EXAMPLE}'
        )
    return tuple(names)

"""Which files a model of another library consists of, and how it is loaded."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backends._transformers.hub import FILE_PATTERNS, list_files
from backends.detection.box_models.box_model import BoxFinder, BoxModel
from backends.detection.box_models.onnx_detector import OnnxDetector
from backends.detection.box_models.torchvision_detector import TorchvisionDetector
from backends.detection.box_models.transformers_detector import TransformersDetector
from backends.detection.model.detector import RunOptions, Thresholds
from backends.detection.model.kinds import ONNX_SUFFIX, Kind, find_kind
from backends.detection.open_vocabulary.families import find_folder
from shared.backend.claim import ModelSpec
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path
from shared.settings import Settings

logger = logging.getLogger(__name__)

PATTERNS = (*FILE_PATTERNS, "*.onnx", "*.onnx_data", "*.onnx.data")


def box_model_files(spec: ModelSpec, settings: Settings) -> Sequence[Path]:
    """Return a model's files, whose hash is part of the version; fetch them if need be."""
    place = _find_place(spec, settings)
    if place.is_dir():
        return list(list_files(place, PATTERNS))
    return [place, *(one for one in [place.with_suffix(".json")] if one.is_file())]


def load_box_model(spec: ModelSpec, run: RunOptions, settings: Settings) -> BoxModel:
    """Load a model; ModelError says what its folder lacks, or what it is instead."""
    if run.image_size:
        logger.warning(
            "%s runs at the image size that its own files say: model_image_size and"
            " DETECTION_IMAGE_SIZE (%d) are for networks of Ultralytics",
            spec.label,
            run.image_size,
        )
    return BoxModel(_load_finder(spec, settings), Thresholds(run.iou, run.min_score))


def _find_place(spec: ModelSpec, settings: Settings) -> Path:
    """Return a model's folder, or its only file."""
    if Path(spec.model).suffix != ONNX_SUFFIX:
        return find_folder(spec.model, settings)
    for path in (find_model(spec.model, settings), Path(spec.model).expanduser()):
        if path.is_file():
            return path
    raise ModelError(f"{short_path(spec.model)}: no such file, neither here nor in MODEL_DIR")


def _load_finder(spec: ModelSpec, settings: Settings) -> BoxFinder:
    place = _find_place(spec, settings)
    kind = find_kind(spec.model, settings)
    return LOADERS[kind](place, settings)


LOADERS: Mapping[Kind, Callable[[Path, Settings], BoxFinder]] = {
    "transformers": TransformersDetector.load,
    "torchvision": TorchvisionDetector.load,
    "onnx": OnnxDetector.load,
}

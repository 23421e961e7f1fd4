"""What a control tag asks for: which weights, how they are run, and what becomes of the output."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from backends.detection.model.detector import Look
from backends.detection.settings import DetectionSettings, names
from shared.backend.base import spec_options
from shared.backend.claim import ModelSpec
from shared.errors import ConfigError
from shared.label_studio.label_config import Control
from shared.settings import Settings

SEGMENTS = ("Polygon", "Brush", "Bitmask")
SUFFIXES = {"segment": "-seg", "pose": "-pose", "obb": "-obb"}
# Names of Ultralytics' detectors, which have a sister for every other task.
PRETRAINED = re.compile(r"(yolo(?:v8|11|26)[nsmlx])\.pt")
# Scores from which the network's output is looked at. Few, since each is an answer of its own.
LEAST = (0.01, 0.001, 0.0)


def kind(control: Control) -> str:
    """What a control tag draws, labelled or not: Rectangle for RectangleLabels."""
    return control.tag.removesuffix("Labels")


def spec(control: Control, settings: DetectionSettings, server: Settings) -> ModelSpec:
    """The model that fills a control tag; ConfigError if an attribute forbids it."""
    asked = control.attrs.get("model_path", "").strip()
    if asked:
        _check_path(asked, control, settings, server)
    return model_spec(asked or _default(_task(control), settings), _image_size(control, settings))


def model_spec(model: str, image_size: int) -> ModelSpec:
    """A model and how it is run."""
    return ModelSpec("detection", model, spec_options(image_size=image_size))


def look(control: Control, settings: DetectionSettings) -> Look:
    """Return how a control tag looks at what the model says."""
    threshold = least_score(control, settings)
    return Look(
        iou=control.number("model_iou", settings.iou, low=0.01, high=1),
        least=next(least for least in LEAST if least <= threshold),
    )


def options(control: Control, settings: DetectionSettings) -> Mapping[str, Any]:
    """What shapes the regions of a control tag."""
    return {
        "look": look(control, settings),
        "score_threshold": least_score(control, settings),
        "classes": names(control.attrs.get("model_classes", "")) or settings.classes,
        "upright": not control.flag("model_obb", default=True),
    }


def least_score(control: Control, settings: DetectionSettings) -> float:
    """`model_score_threshold`, or `model_conf` where that alone is given; of both the higher."""
    given = [
        control.number(key, 0, low=0, high=1)
        for key in ("model_score_threshold", "model_conf")
        if control.attrs.get(key, "").strip()
    ]
    return max(given, default=settings.score_threshold)


def allowed(settings: DetectionSettings) -> tuple[str, ...]:
    """The weights that a control tag may name although they are no file in MODEL_DIR."""
    own = [_default(task, settings) for task in ("detect", "classify", *SUFFIXES)]
    return tuple(dict.fromkeys([*own, *settings.allowed_models]))


def _task(control: Control) -> str:
    if kind(control) in SEGMENTS:
        return "segment"
    if kind(control) == "KeyPoint":
        return "pose"
    if control.tag in {"Choices", "Taxonomy", "TimelineLabels"}:
        return "classify"
    return "obb" if control.flag("model_obb") else "detect"


def _default(task: str, settings: DetectionSettings) -> str:
    """The weights for a task: as set, else the sister of a pretrained detector, else its own."""
    own = str(getattr(settings, f"{task}_model", ""))
    known = PRETRAINED.fullmatch(settings.model)
    if own or task not in SUFFIXES or known is None:
        return own or settings.model
    return f"{known[1]}{SUFFIXES[task]}.pt"


def _image_size(control: Control, settings: DetectionSettings) -> int:
    return int(control.number("model_image_size", settings.image_size, low=0, high=4096))


def _check_path(
    model: str, control: Control, settings: DetectionSettings, server: Settings
) -> None:
    """A label config must not load any file: weights can hold code."""
    if model in allowed(settings):
        return
    path, root = PurePosixPath(model), server.model_dir.resolve()
    inside = (root / path).resolve().is_relative_to(root) and not path.is_absolute()
    if not inside or not (root / path).is_file():
        raise ConfigError(
            f'{control}: model_path="{model}" is no file in MODEL_DIR and not listed in'
            " DETECTION_ALLOWED_MODELS",
            control.name,
        )

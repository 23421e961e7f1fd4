"""What a control tag asks for: its weights, how the network runs, and which detections it wants."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from backends._inference.published_names import (
    PUBLISHED_DETECTORS,
    PUBLISHED_SEGMENTERS,
    suggest_published,
)
from backends.detection.model.detector import Thresholds
from backends.detection.settings import DetectionSettings
from shared.backend.base import spec_options
from shared.backend.claim import ModelSpec
from shared.backend.model_folder import has_model_file
from shared.errors import ConfigError, SettingError, truncate
from shared.label_studio.label_config import Control
from shared.settings import Settings, split_names

# Tags that need a mask of each object.
MASK_TAGS = ("Polygon", "Brush", "Bitmask")
# How Ultralytics names the weights of other tasks: yolo11n.pt, yolo11n-seg.pt.
TASK_SUFFIXES = {"segment": "-seg", "pose": "-pose", "obb": "-obb"}
# Detectors for which weights of every other task exist.
PRETRAINED = re.compile(r"(yolo(?:v8|11|26)[nsmlx])\.pt")
THRESHOLD_ATTRIBUTE = "model_score_threshold"
# Minimum scores from which outputs are decoded; a claim takes the highest that its threshold
# allows. They are few because outputs are cached, and shared by claims, per minimum score.
DECODING_SCORES = (0.01, 0.001, 0.0)


def base_tag(control: Control) -> str:
    """Return the tag without "Labels": "Rectangle" for RectangleLabels."""
    return control.tag.removesuffix("Labels")


def choose_model(control: Control, settings: DetectionSettings, server: Settings) -> ModelSpec:
    """Return the model that fills a control tag; ConfigError if an attribute is invalid."""
    requested = control.attrs.get("model_path", "").strip()
    if requested:
        _check_model_path(requested, control, settings, server)
    model = requested or _default_model(_network_task(control), settings)
    return model_spec(model, read_image_size(control, settings))


def read_image_size(control: Control, settings: DetectionSettings) -> int:
    """Return the image size that a control tag asks for; 0 is the size of the training."""
    return int(control.get_number("model_image_size", settings.image_size, low=0, high=4096))


def with_image_size(spec: ModelSpec, control: Control, settings: DetectionSettings) -> ModelSpec:
    """Return the spec of a trained network at the image size that a control tag asks for."""
    return replace(spec, options=spec_options(image_size=read_image_size(control, settings)))


def model_spec(model: str, image_size: int) -> ModelSpec:
    """Return the spec of a network at an image size; 0 is the size it was trained at."""
    return ModelSpec("detection", model, spec_options(image_size=image_size))


def read_thresholds(control: Control, settings: DetectionSettings) -> Thresholds:
    """Return the thresholds with which a control tag's network output is decoded."""
    threshold = min(
        read_score_threshold(control, settings), *read_label_thresholds(control).values(), 1.0
    )
    return Thresholds(
        iou=control.get_number("model_iou", settings.iou, low=0.01, high=1),
        min_score=next(score for score in DECODING_SCORES if score <= threshold),
    )


def read_options(
    control: Control, settings: DetectionSettings, network: ModelSpec
) -> Mapping[str, Any]:
    """Return the options of a control tag that decide which regions it gets."""
    return {
        "thresholds": read_thresholds(control, settings),
        "score_threshold": read_score_threshold(control, settings),
        "classes": read_classes(control, settings, network),
        "upright": not control.get_flag("model_obb", default=True),
    }


def read_classes(
    control: Control, settings: DetectionSettings, network: ModelSpec
) -> tuple[str, ...]:
    """Return the classes that a control tag asks for; none stands for all.

    They are those of the base model: a network trained on the tag's own labels has no others.
    """
    if network.trained_version:
        return ()
    return split_names(control.attrs.get("model_classes", "")) or settings.classes


def read_score_threshold(control: Control, settings: DetectionSettings) -> float:
    """Return `model_score_threshold` or `model_conf`, the higher one if both are given."""
    given = [
        control.get_number(key, 0, low=0, high=1)
        for key in (THRESHOLD_ATTRIBUTE, "model_conf")
        if control.attrs.get(key, "").strip()
    ]
    return max(given, default=settings.score_threshold)


def read_label_thresholds(control: Control) -> dict[str, float]:
    """Return `model_score_threshold` of the labels that have it; ConfigError if it is invalid."""
    return {
        label: _parse_threshold(control, label, attributes[THRESHOLD_ATTRIBUTE])
        for label, attributes in control.labels.items()
        if attributes.get(THRESHOLD_ATTRIBUTE, "").strip()
    }


def _parse_threshold(control: Control, label: str, text: str) -> float:
    try:
        threshold = float(text)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise ConfigError(
            f'{control}: invalid {THRESHOLD_ATTRIBUTE}="{truncate(text, 40)}" of the label'
            f' "{truncate(label, 40)}"; expected a number from 0 to 1',
            control.name,
        )
    return threshold


def allowed_models(settings: DetectionSettings) -> tuple[str, ...]:
    """Return the weights that a control tag may name although they are not in MODEL_DIR."""
    defaults = [_default_model(task, settings) for task in ("detect", "classify", *TASK_SUFFIXES)]
    return tuple(dict.fromkeys([*defaults, *settings.allowed_models]))


def _network_task(control: Control) -> str:
    if base_tag(control) in MASK_TAGS:
        return "segment"
    if base_tag(control) == "KeyPoint":
        return "pose"
    if control.tag in {"Choices", "Taxonomy", "TimelineLabels"}:
        return "classify"
    return "obb" if control.get_flag("model_obb") else "detect"


def _default_model(task: str, settings: DetectionSettings) -> str:
    """Return the weights for a task: the setting's, or those named after a pretrained detector."""
    model = str(getattr(settings, f"{task}_model", ""))
    pretrained = PRETRAINED.fullmatch(settings.model)
    if model or task not in TASK_SUFFIXES or pretrained is None:
        return model or settings.model
    return f"{pretrained[1]}{TASK_SUFFIXES[task]}.pt"


def _check_model_path(
    model: str, control: Control, settings: DetectionSettings, server: Settings
) -> None:
    """ConfigError unless a label config may load these weights: they can contain code."""
    if model in PUBLISHED_DETECTORS or model in allowed_models(settings):
        return
    if model in PUBLISHED_SEGMENTERS:  # right for clicks: the user is not to look for a mistake
        raise ConfigError(
            f'{control}: model_path="{model}" makes masks of clicks and boxes, and finds no'
            ' objects: add model_backend="segment", and this tag is left to that backend',
            control.name,
        )
    try:
        is_there = not PurePosixPath(model).is_absolute() and (
            has_model_file(model, server) or has_model_file(f"{model}/config.json", server)
        )
    except SettingError as error:  # of the store that MODEL_DIR is in
        raise ConfigError(f"{control}: {error}", control.name) from None
    if not is_there:
        raise ConfigError(
            f'{control}: model_path="{truncate(model, 200)}" is no detector that Ultralytics'
            " publishes, no file in MODEL_DIR, and not listed in DETECTION_ALLOWED_MODELS"
            + suggest_published(model, PUBLISHED_DETECTORS),
            control.name,
        )

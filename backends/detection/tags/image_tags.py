"""Which control tags on images are filled, which belong together, and the options of keypoints."""

from collections.abc import Iterable
from typing import Any

from backends.detection.tags.tag_options import base_tag
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag

SHAPE_TAGS = ("Rectangle", "Polygon", "Ellipse", "Brush", "Bitmask", "KeyPoint")
WHOLE_IMAGE_TAGS = ("Choices", "Taxonomy")
TAGS = (*SHAPE_TAGS, *(f"{shape}Labels" for shape in SHAPE_TAGS), *WHOLE_IMAGE_TAGS)

# A control tag that draws, and the Labels tag that names what it draws, if there is one.
ControlGroup = tuple[Control, ...]


def control_groups(config: LabelConfig) -> Iterable[tuple[ControlGroup, ObjectTag]]:
    """Yield each control tag on an image that can be filled, with the Labels that go with it."""
    for control, target in config.tag_pairs():
        if target.tag != "Image" or control.tag not in TAGS:
            continue
        if control.tag in WHOLE_IMAGE_TAGS and control.per_region:
            continue
        yield (control, *shared_labels(control, config)), target


def shared_labels(control: Control, config: LabelConfig) -> ControlGroup:
    """Return the Labels on the same image, for a tag that draws but has no labels of its own."""
    labels = [other for other in config.controls_on(control.to_name) if other.tag == "Labels"]
    return tuple(labels[:1]) if control.tag in SHAPE_TAGS else ()


def read_keypoint_options(
    group: ControlGroup, config: LabelConfig, point_threshold: float = 0
) -> dict[str, Any]:
    """Read the options of a KeyPoint tag; ConfigError names an invalid attribute.

    `points` maps each label with a `model_index` to the number of its keypoint. `boxes` is the
    control tag that gets the boxes, out of the whole `config`: one that is skipped counts, too.
    """
    control = group[0]
    return {
        "point_threshold": control.get_number(
            "model_point_threshold", point_threshold, low=0, high=1
        ),
        "point_size": control.get_number("model_point_size", 0, low=0, high=1000),
        "boxes": _box_control(control, config)
        if control.get_flag("model_add_bboxes", True)
        else None,
        "points": keypoint_numbers(group),
    }


def keypoint_numbers(group: ControlGroup) -> dict[str, int]:
    """Return the number of the keypoint of each label that has a `model_index`."""
    return {
        label: _parse_keypoint_number(group[0], label, attrs["model_index"])
        for label, attrs in group[-1].labels.items()
        if "model_index" in attrs
    }


def _parse_keypoint_number(control: Control, label: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigError(
            f'{control}: invalid model_index="{text}" of the label "{label}"; expected the number'
            " of a key point, from 0",
            control.name,
        )
    return int(text)


def _box_control(control: Control, config: LabelConfig) -> str | None:
    """Return the tag for the boxes around keypoints: `<name>_bbox`, or the first one for boxes."""
    names = [
        other.name
        for other in config.controls_on(control.to_name)
        if base_tag(other) == "Rectangle"
    ]
    hidden = f"{control.name}_bbox"
    return hidden if hidden in names else next(iter(names), None)

"""Which control tags on an image are filled, and which of them together."""

from collections.abc import Iterable
from typing import Any

from backends.detection.tags.tag_options import kind
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag

SHAPES = ("Rectangle", "Polygon", "Ellipse", "Brush", "Bitmask", "KeyPoint")
WHOLE = ("Choices", "Taxonomy")
TAGS = (*SHAPES, *(f"{shape}Labels" for shape in SHAPES), *WHOLE)

Group = tuple[Control, ...]


def groups(config: LabelConfig) -> Iterable[tuple[Group, ObjectTag]]:
    """Each control tag on an image that can be filled, with the Labels that go with it."""
    for control, target in config.pairs():
        if target.tag != "Image" or control.tag not in TAGS:
            continue
        if control.tag in WHOLE and control.per_region:
            continue
        yield (control, *labels_beside(control, config)), target


def labels_beside(control: Control, config: LabelConfig) -> Group:
    """The Labels on the same image, for a tag that draws without labels of its own."""
    beside = [other for other in config.controls_on(control.to_name) if other.tag == "Labels"]
    return tuple(beside[:1]) if control.tag in SHAPES else ()


def point_options(group: Group, config: LabelConfig) -> dict[str, Any]:
    """What the attributes of a KeyPoint tag say; ConfigError names what cannot be meant.

    `points` has, for each label with a `model_index`, the number of its key point; `boxes` is
    the control tag in the whole `config`, skipped ones included, that takes the boxes.
    """
    control = group[0]
    return {
        "point_threshold": control.number("model_point_threshold", 0, low=0, high=1),
        "point_size": control.number("model_point_size", 0, low=0, high=1000),
        "boxes": _boxes(control, config) if control.flag("model_add_bboxes", True) else None,
        "points": indexed(group),
    }


def indexed(group: Group) -> dict[str, int]:
    """Return the number of the key point of each label that has a `model_index`."""
    return {
        label: _index(group[0], label, attrs["model_index"])
        for label, attrs in group[-1].labels.items()
        if "model_index" in attrs
    }


def _index(control: Control, label: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigError(
            f'{control}: model_index="{text}" of the label "{label}" should be the number of a'
            " key point, from 0",
            control.name,
        )
    return int(text)


def _boxes(control: Control, config: LabelConfig) -> str | None:
    """The tag that takes the boxes around key points: `<name>_bbox`, or any other for boxes."""
    boxes = [
        other.name for other in config.controls_on(control.to_name) if kind(other) == "Rectangle"
    ]
    named = f"{control.name}_bbox"
    return named if named in boxes else next(iter(boxes), None)

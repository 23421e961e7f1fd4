"""The classes of objects on pictures: which labels of a label config they are."""

from collections.abc import Iterator, Mapping, Sequence

from shared.errors import SettingError
from shared.evaluation.dataset.pictures import PICTURE_TAGS, names_regions
from shared.label_studio.label_config import Control, LabelConfig

# Control tags without their ending Labels that draw what has an area.
OUTLINE_TAGS = frozenset(("Polygon", "Ellipse", "Brush", "Bitmask", "Vector"))
BOX_TAGS = frozenset(("Rectangle",))
POINT_TAG = "KeyPointLabels"


def picture_controls(config: LabelConfig) -> list[Control]:
    """Return the control tags on images and videos."""
    return [control for control, target in config.tag_pairs() if target.tag in PICTURE_TAGS]


def drawing_tags(config: LabelConfig) -> set[str]:
    """Return the tags that draw on images and videos, without their ending Labels."""
    return {control.tag.removesuffix("Labels") for control in picture_controls(config)} - {""}


def class_names(config: LabelConfig, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the labels of regions with an area; SettingError if there are none."""
    names = list(_names(config, labels, points=False))
    if not names:
        raise SettingError(
            "no control tag on an Image or Video of the label config gives regions a label:"
            f" it has {config.describe_controls()}"
        )
    return list(dict.fromkeys(names))


def point_names(config: LabelConfig, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the labels of key points."""
    return list(dict.fromkeys(_names(config, labels, points=True)))


def _names(config: LabelConfig, labels: Mapping[str, Sequence[str]], points: bool) -> Iterator[str]:
    for control in picture_controls(config):
        if control.tag == "TimelineLabels" or not names_regions(control):
            continue
        if (control.tag == POINT_TAG) is points:
            yield from labels.get(control.name, ())

"""Boxes that an annotator draws as examples: what looks like them is found on the same image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.backend.drawn_regions import read_drawn_regions
from shared.errors import TaskError, UnfillableError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.media.image import Image
from shared.results import ParsedRegion, Rectangle

Floats = NDArray[np.float32]

# The attribute of a tag whose boxes are examples.
ATTRIBUTE = "model_visual_prompt"
# Examples on an image: more are no help to a model.
MAX_EXAMPLES = 64
# Pixels that a side of an example has at least.
MIN_SIDE = 2.0


@dataclass(frozen=True, eq=False)
class DrawnExamples:
    """Examples on an image: `boxes` (n, 4) are left, top, right, bottom in its pixels.

    `classes` (n,) are the places of their labels in `labels`, of which each is there once.
    """

    image: Image
    labels: tuple[str, ...]
    boxes: Floats
    classes: NDArray[np.int64]


class DrawnBoxes(NamedTuple):
    """Examples before their image is read: corners (n, 4) in parts of its sides.

    `item_index` is the image's place in a list; None where the tag shows one.
    """

    labels: tuple[str, ...]
    corners: Floats
    item_index: int | None

    def first(self, count: int) -> "DrawnBoxes":
        """Return the first of them."""
        return self._replace(labels=self.labels[:count], corners=self.corners[:count])

    def on_image(self, image: Image) -> DrawnExamples:
        """Return the examples in pixels of the image; TaskError if none covers any."""
        boxes = (self.corners * np.array([*image.size] * 2)).astype(np.float32)
        sides = boxes[:, 2:] - boxes[:, :2]
        rows = np.flatnonzero((sides >= MIN_SIDE).all(axis=1))
        if not len(rows):
            raise TaskError(
                f"No example that is drawn has {MIN_SIDE:g} pixels to a side on the image of"
                f" {image.size.width} × {image.size.height}: draw a box around an object"
            )
        labels = tuple(dict.fromkeys(self.labels[row] for row in rows))
        classes = np.array([labels.index(self.labels[row]) for row in rows], np.int64)
        return DrawnExamples(image, labels, boxes[rows], classes)


def has_drawn_examples(context: Mapping[str, Any], config: LabelConfig, target: ObjectTag) -> bool:
    """Return whether the context has a region of a tag whose boxes are examples."""
    names = {control.name for control in config.controls_on(target.name) if takes_examples(control)}
    results = context.get("result")
    if not names or not isinstance(results, list):
        return False
    return any(isinstance(one, dict) and one.get("from_name") in names for one in results)


def takes_examples(control: Control) -> bool:
    """Return whether boxes that are drawn with a control tag are examples."""
    return control.tag in {"Rectangle", "RectangleLabels"} and control.get_flag(ATTRIBUTE)


def read_drawn_boxes(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> DrawnBoxes | None:
    """Return the examples that are drawn with a label; None if there are none.

    Of several images of a list the one of the last example counts. TaskError if the context
    cannot be read, or has too many.
    """
    drawn = [
        region
        for region in read_drawn_regions(context, config, target)
        if isinstance(region.shape, Rectangle) and any(map(takes_examples, region.values))
    ]
    if not drawn:
        return None
    index = drawn[0].region_keys.get("item_index")  # the last one comes first
    here = [one for one in reversed(drawn) if one.region_keys.get("item_index") == index]
    boxes = boxes_of_regions(here, index)
    if boxes is None:
        raise TaskError("An example is drawn without a label: select one before drawing")
    if len(boxes.labels) > MAX_EXAMPLES:
        raise TaskError(f"{len(boxes.labels)} examples are drawn, expected at most {MAX_EXAMPLES}")
    return boxes


def boxes_of_regions(regions: Sequence[ParsedRegion], index: int | None) -> DrawnBoxes | None:
    """Return the boxes of regions on the image at `index`; None if none has a label."""
    pairs = [
        (label, _corners_of(region))
        for region in regions
        if isinstance(region.shape, Rectangle)
        for label in _labels_of(region)
    ]
    if not pairs:
        return None
    labels, corners = zip(*pairs, strict=True)
    return DrawnBoxes(labels, np.array(corners, np.float64), index)


def _labels_of(region: ParsedRegion) -> Sequence[str]:
    values = [value for value in region.values.values() if isinstance(value, list)]
    return [label for value in values for label in value if isinstance(label, str)]


def _corners_of(region: ParsedRegion) -> tuple[float, float, float, float]:
    """Return the upright box around a region, cut to the image, in parts of its sides."""
    width, height = region.source or (0, 0)
    shape: Any = region.shape
    points = np.array(shape.corners(), np.float64)
    if not (width > 0 and height > 0 and np.isfinite(points).all()):
        raise TaskError(f'The example "{region.id}" has no place on an image of a known size')
    left, top = np.clip(points.min(axis=0) / (width, height), 0, 1)
    right, bottom = np.clip(points.max(axis=0) / (width, height), 0, 1)
    return float(left), float(top), float(right), float(bottom)


def examples_error(model: str) -> UnfillableError:
    """Return the error of a model that finds nothing by examples; it says which do."""
    return UnfillableError(
        f"{model} finds nothing by drawn examples; YOLOE, OWLv2, OWL-ViT and SAM 3 do"
    )

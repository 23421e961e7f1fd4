"""What a user has drawn, as one prompt for each object.

The editor sends all clicks (or boxes, or strokes) of one label on one image that have not been
accepted yet. So of each label

- each box is an object, with the clicks inside it (inside the smallest of several boxes);
- the other clicks and all strokes outside of boxes are one object together;
- a negative click outside of all boxes belongs to that object, or else to the nearest box.

An object without a positive click, box or stroke is left out: nothing says where it is. If there
is no other one, that is an error.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from backends.segment.drawn_places import (
    box_of,
    click_of,
    common_frame,
    describe_place,
    frame_of,
    index_of,
)
from backends.segment.prompts import BinaryMask, Box, ObjectPrompt, Point
from shared.backend import Context, LabelConfig, ObjectTag
from shared.backend.drawn_regions import read_drawn_regions
from shared.errors import TaskError
from shared.results import (
    Bitmask,
    Brush,
    Ellipse,
    ImageSize,
    KeyPoint,
    ParsedRegion,
    Polygon,
    Rectangle,
)

# Clicks on one object; beyond that a mask is better corrected with the brush.
MAX_CLICKS = 256
# Objects of one answer.
MAX_OBJECTS = 64


@dataclass(frozen=True)
class DrawnObject:
    """One object: the label that was selected ("" if none was), the prompt in pixels of a frame."""

    label: str
    prompt: ObjectPrompt
    region_id: str
    score: float | None = None
    """That of a box which a model has found."""


@dataclass(frozen=True)
class DrawnImage:
    """The objects drawn on one image, and the size in which the editor showed it.

    `item_index` is its place in a list of images; None where the tag shows one.
    """

    objects: tuple[DrawnObject, ...]
    frame: ImageSize
    item_index: int | None = None


@dataclass
class _ObjectParts:
    """An object whose prompts are still being put together."""

    label: str
    first_region: str
    box: Box | None = None
    points: list[Point] = field(default_factory=list)
    stroke: BinaryMask | None = None

    def add_stroke(self, stroke: BinaryMask) -> None:
        """Add a further stroke to those on the object."""
        self.stroke = stroke if self.stroke is None else self.stroke | stroke

    def to_object(self) -> DrawnObject:
        points = _without_contradictions(self.points)
        if len(points) > MAX_CLICKS:
            raise TaskError(
                f"{len(points)} clicks are on one object, expected at most {MAX_CLICKS}: accept"
                " the mask, and correct it with the brush and the eraser"
            )
        named = f"segment {self.first_region} {self.label}"
        region_id = hashlib.blake2b(named.encode(), digest_size=6).hexdigest()
        return DrawnObject(self.label, ObjectPrompt(points, self.box, self.stroke), region_id)


def read_drawn_image(context: Context, config: LabelConfig, target: ObjectTag) -> DrawnImage | None:
    """Return the objects drawn on an object tag; None if nothing was drawn on it.

    Where several images of a list are drawn on, the one of the last region counts. TaskError if
    the context cannot be read, nothing of it lies on the image, or nothing says where an object is.
    """
    regions = list(reversed(list(read_drawn_regions(context, config, target))))
    regions = [region for region in regions if isinstance(region.shape, PROMPT_SHAPES)]
    if not regions:
        return None
    index = index_of(regions[-1])
    here = [region for region in regions if index_of(region) == index]
    frame = common_frame(here)
    objects = tuple(_build_objects(here))
    if not objects:
        raise TaskError(
            "All clicks say where the object is not, and none where it is: click on the object"
            " first, or draw a box around it"
        )
    if len(objects) > MAX_OBJECTS:
        raise TaskError(f"{len(objects)} objects are drawn, expected at most {MAX_OBJECTS} at once")
    return DrawnImage(objects, frame, index)


def boxed_images(
    regions: Sequence[ParsedRegion], is_wanted: Callable[[str], bool]
) -> list[DrawnImage]:
    """Return the images on which boxes were found, each with an object for each box.

    `is_wanted` says of which labels. Turned boxes count as the upright ones around them; those
    without an area are left out.
    """
    by_image: dict[int | None, list[ParsedRegion]] = {}
    for region in regions:
        by_image.setdefault(region.region_keys.get("item_index"), []).append(region)
    images = []
    for index, found in by_image.items():
        parts = [
            (_ObjectParts(_label_of(region), region.id, box), region.score)
            for region in found
            if is_wanted(_label_of(region)) and (box := box_of(region)) is not None
        ]
        objects = tuple(replace(one.to_object(), score=score) for one, score in parts)
        if objects:
            images.append(DrawnImage(objects, frame_of(found[0]), index))
    return images


PROMPT_SHAPES = (KeyPoint, Rectangle, Ellipse, Polygon, Brush, Bitmask)


def _build_objects(regions: Sequence[ParsedRegion]) -> Iterable[DrawnObject]:
    """Yield the objects, in the order in which their first prompts were drawn."""
    by_label: dict[str, list[_ObjectParts]] = {}
    boxes = [(region, box_of(region)) for region in regions]
    for region, box in boxes:
        if box is not None:
            parts = _ObjectParts(_label_of(region), region.id, box)
            by_label.setdefault(parts.label, []).append(parts)
    outside = [region for region, box in boxes if box is None and not _add(region, by_label)]
    found = [parts for objects in by_label.values() for parts in objects]
    if outside and not found:
        raise TaskError(f"What was drawn is not on the image: {describe_place(outside[-1])}")
    order = {region.id: place for place, region in enumerate(regions)}
    found.sort(key=lambda parts: order[parts.first_region])
    made = [parts.to_object() for parts in found]
    yield from (drawn for drawn in made if not drawn.prompt.is_empty)


def _add(region: ParsedRegion, by_label: dict[str, list[_ObjectParts]]) -> bool:
    """Add a click or a stroke to the object it belongs to; False if it is not on the image."""
    objects = by_label.setdefault(_label_of(region), [])
    if not isinstance(region.shape, Brush | Bitmask):
        point = click_of(region)
        if point is not None:
            _object_for(point, objects, region).points.append(point)
        return point is not None
    stroke = np.asarray(region.shape.mask) != 0
    if not stroke.any():
        return False
    frame = frame_of(region)
    if stroke.shape != (frame.height, frame.width):
        raise TaskError(
            f'The mask of the drawn region "{region.id}" has {stroke.shape[1]} × {stroke.shape[0]}'
            f" pixels, expected {frame.width} × {frame.height}"
        )
    ys, xs = np.nonzero(stroke)
    _object_for(Point(float(xs.mean()), float(ys.mean())), objects, region).add_stroke(stroke)
    return True


def _object_for(point: Point, objects: list[_ObjectParts], region: ParsedRegion) -> _ObjectParts:
    """Return the object of a label that a click belongs to, a new one if need be."""
    boxed = [(parts, parts.box) for parts in objects if parts.box is not None]
    around = [(parts, box) for parts, box in boxed if box.contains(point)]
    if around:
        return min(around, key=lambda pair: pair[1].area)[0]
    clicked = next((parts for parts in objects if parts.box is None), None)
    if clicked is None and boxed and not point.is_positive:
        return min(boxed, key=lambda pair: pair[1].distance_to(point))[0]
    if clicked is None:
        clicked = _ObjectParts(_label_of(region), region.id)
        objects.append(clicked)
    return clicked


def _label_of(region: ParsedRegion) -> str:
    """Return the label that was selected when a region was drawn; "" if none was."""
    for value in region.values.values():
        if isinstance(value, list) and value and isinstance(value[0], str):
            return value[0]
    return ""


def _without_contradictions(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the clicks without repetitions: of several at one place the last one counts."""
    last: dict[tuple[float, float], Point] = {}
    for point in points:
        place = round(point.x, 2), round(point.y, 2)
        last.pop(place, None)  # it is as late as its last repetition
        last[place] = point
    return tuple(last.values())


def scale_prompt(prompt: ObjectPrompt, frame: ImageSize, size: ImageSize) -> ObjectPrompt:
    """Return a prompt in pixels of the image, which the editor may have shown in another size."""
    if tuple(frame) == tuple(size):
        return prompt
    x, y = size.width / frame.width, size.height / frame.height
    points = tuple(Point(p.x * x, p.y * y, p.is_positive) for p in prompt.points)
    box = prompt.box
    if box is not None:
        box = Box(box.left * x, box.top * y, box.right * x, box.bottom * y)
    stroke = prompt.stroke
    if stroke is not None:
        resized = cv2.resize(stroke.astype(np.uint8), tuple(size), interpolation=cv2.INTER_AREA)
        stroke = np.asarray(resized != 0)
    return ObjectPrompt(points, box, stroke)

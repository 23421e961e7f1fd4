"""Images with the regions of a task, as shapes of SVG."""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image as Pillow

from shared.evaluation.report.marks import Kind, Mark
from shared.media.image import Image
from shared.media.image_size import ImageSize
from shared.results import (
    Bitmask,
    Brush,
    Ellipse,
    KeyPoint,
    ParsedRegion,
    Polygon,
    Rectangle,
    Vector,
    mask_to_polygons,
)

# Embedded images are no longer than this on either side, in pixels.
MAX_SIDE = 800
JPEG_QUALITY = 78
# The canvas of regions that have no image.
EMPTY_SIZE = ImageSize(800, 600)
# A key point is drawn this many hundredths of the image's width wide at least.
MIN_POINT_PERCENT = 0.8

Point = tuple[float, float]


@dataclass(frozen=True)
class PictureShape:
    """A region's outline: the path of SVG, and where its number stands."""

    kind: Kind
    label: str
    number: int | None
    path: str
    anchor: Point


@dataclass(frozen=True)
class Picture:
    """An image with its regions, in pixels of an image of `size`; `image` is the embedded one."""

    size: ImageSize
    shapes: Sequence[PictureShape]
    image: str = ""


class EmbeddedImage(NamedTuple):
    """An image of the page: its data URL, and the size in which it is drawn."""

    url: str
    size: ImageSize


class EmbeddedImages:
    """Images that the page embeds once, however often it shows them, by their ids in the page."""

    def __init__(self) -> None:
        self.by_id: dict[str, EmbeddedImage] = {}
        self._known: dict[str, str] = {}

    def add(self, image: Image) -> str:
        """Return the id of an image in the page."""
        if image.digest not in self._known:
            name = f"image-{len(self.by_id) + 1}"
            self._known[image.digest] = name
            self.by_id[name] = EmbeddedImage(encode_image(image), image.size)
        return self._known[image.digest]


def encode_image(image: Image) -> str:
    """Return an image as the data URL of a JPEG of at most MAX_SIDE pixels a side."""
    small = Pillow.fromarray(image.pixels)
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def draw_picture(marks: Sequence[Mark], size: ImageSize | None = None, image: str = "") -> Picture:
    """Draw regions on an image of a size; without one on the size that they tell themselves."""
    told = next((one for mark in marks if (one := _told_size(mark.region))), EMPTY_SIZE)
    canvas = size or told
    shapes = [shape for mark in marks if (shape := _draw_mark(mark, canvas)) is not None]
    return Picture(canvas, shapes, image)


def _told_size(region: ParsedRegion) -> ImageSize | None:
    size = region.source
    return size if isinstance(size, ImageSize) and min(size) > 0 else None


def _draw_mark(mark: Mark, canvas: ImageSize) -> PictureShape | None:
    size = _told_size(mark.region) or canvas
    lines = outline_of(mark.region.shape, size)
    if lines is None:
        return None
    scale = canvas.width / size.width, canvas.height / size.height
    scaled = [([(x * scale[0], y * scale[1]) for x, y in line], closed) for line, closed in lines]
    points = [p for line, _ in scaled for p in line if math.isfinite(p[0]) and math.isfinite(p[1])]
    if not points:
        return None
    # Of a missed region and what was predicted in its place the numbers shall not cover each other.
    corner = max if mark.kind == "invention" else min
    anchor = corner(points, key=lambda p: (p[1], p[0]))
    path = " ".join(_path_text(line, closed) for line, closed in scaled if line)
    return PictureShape(mark.kind, mark.label, mark.number, path, anchor)


Lines = list[tuple[Sequence[Point], bool]]


def outline_of(shape: Any, size: ImageSize) -> Lines | None:
    """Return a shape's lines in pixels, and whether each is closed; None if it is no such shape."""
    draw = _OUTLINES.get(type(shape))
    return None if draw is None else draw(shape, size)


def _points(points: Any) -> list[Point]:
    return [(float(x), float(y)) for x, y in points]


def _outline_box(box: Rectangle, size: ImageSize) -> Lines:
    return [(box.corners(), True)]


def _outline_polygon(polygon: Polygon, size: ImageSize) -> Lines:
    return [(_points(polygon.points), polygon.closed)]


def _outline_vector(vector: Vector, size: ImageSize) -> Lines:
    points = _points(vector.points)
    if vector.links is None:
        return [(points, vector.closed)]
    pairs = [(at, to) for at, to in enumerate(vector.links) if to is not None]
    return [((points[to], points[at]), False) for at, to in pairs]


def _outline_ellipse(ellipse: Ellipse, size: ImageSize) -> Lines:
    turn = math.radians(ellipse.rotation)
    cos, sin = math.cos(turn), math.sin(turn)
    around = []
    for step in range(48):
        angle = step * math.tau / 48
        x, y = ellipse.radius_x * math.cos(angle), ellipse.radius_y * math.sin(angle)
        around.append((ellipse.x + x * cos - y * sin, ellipse.y + x * sin + y * cos))
    return [(around, True)]


def _outline_point(point: KeyPoint, size: ImageSize) -> Lines:
    radius = max(point.size or 0, size.width * MIN_POINT_PERCENT / 100) / 2
    return _outline_ellipse(Ellipse(point.x, point.y, radius, radius), size)


def _outline_mask(shape: Brush | Bitmask, size: ImageSize) -> Lines:
    """Trace a mask on a scale that is fine enough for the page."""
    mask = shape.mask
    step = max(max(mask.shape) // MAX_SIDE, 1)
    parts = mask_to_polygons(mask[::step, ::step], holes="cut")
    scale = size.width / max(mask.shape[1], 1), size.height / max(mask.shape[0], 1)
    return [
        ([(x * step * scale[0], y * step * scale[1]) for x, y in part.points], True)
        for part in parts
    ]


_OUTLINES: Mapping[type, Callable[[Any, ImageSize], Lines]] = {
    Rectangle: _outline_box,
    Polygon: _outline_polygon,
    Vector: _outline_vector,
    Ellipse: _outline_ellipse,
    KeyPoint: _outline_point,
    Brush: _outline_mask,
    Bitmask: _outline_mask,
}


def _path_text(line: Sequence[Point], closed: bool) -> str:
    finite = [(x, y) for x, y in line if math.isfinite(x) and math.isfinite(y)]
    text = " L".join(f"{x:.1f} {y:.1f}" for x, y in finite)
    return f"M{text}{' Z' if closed else ''}" if text else ""

"""What is drawn of a prediction against what the prediction says."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timezone
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.editor.drawn import Drawing, DrawnRegion, Point
from shared.label_studio.label_config import LabelConfig
from shared.results import Bitmask, Brush, TimeSeriesSpan
from shared.results.percent import read_image_size

Result = Mapping[str, Any]

# How far what is drawn may be from what was said: a pixel of the image, a millisecond, a frame.
PIXEL = 1.0
SECOND = 0.001
FRAME = 1.0
# Types whose answer is compared as the editor gives it back.
ANSWERS = ("taxonomy", "rating", "number", "datetime", "textarea", "pairwise", "ranker")
VECTOR_CURVE = "isBezier"


class Difference(NamedTuple):
    """A region, and how the editor draws it otherwise than the prediction says."""

    region: str | None
    message: str


def find_differences(
    results: Sequence[Result], drawing: Drawing, config: LabelConfig
) -> list[Difference]:
    """Return what the editor draws otherwise than it was said; empty if all is as it was meant.

    Not looked at: regions that are hidden, curves of vectors, choices of a region, relations, and
    where a region lies and what is chosen on the second and later images of a task.
    """
    return list(
        dict.fromkeys(
            Difference(result.get("id"), message)
            for result in results
            if isinstance(result.get("value"), Mapping)
            for message in _compare_result(result, drawing, config)
        )
    )


def _compare_result(result: Result, drawing: Drawing, config: LabelConfig) -> Iterator[str]:
    region = drawing.regions.get(str(result.get("id")))
    kind = result.get("type")
    if region is None:
        yield "is not in the editor at all"
    elif kind == "choices" and not region.kind:
        yield from () if region.item else _compare_choices(result, drawing)
    elif kind in ANSWERS:
        yield from _compare_answer(result, drawing)
    elif kind != "choices" and region.kind and not region.hidden:
        yield from _compare_labels(result, region)
        if not region.item:
            yield from _compare_place(result, region, drawing, config)


def _compare_choices(result: Result, drawing: Drawing) -> Iterator[str]:
    checked = drawing.chosen.get(str(result.get("from_name")), ())
    for choice in result["value"].get("choices") or ():
        paths = [choice, [choice]] if isinstance(choice, str) else [choice]
        if not any(path in checked for path in paths):
            yield f"{choice!r} is not checked, but {list(checked)!r}"


def _compare_answer(result: Result, drawing: Drawing) -> Iterator[str]:
    key = ("id", "from_name", "type")
    same = (r for r in drawing.given_back if all(r.get(k) == result.get(k) for k in key))
    shown = next(same, None)
    if shown is None:
        yield f"the {result.get('type')} is not shown"
        return
    name = {"textarea": "text", "pairwise": "selected"}.get(result["type"], result["type"])
    said, found = result["value"].get(name), shown["value"].get(name)
    if said != found:
        yield f"{name} is {found!r}, not {said!r}"
    elif name == "ranker":
        yield from _compare_order(said, drawing)


def _compare_order(said: Mapping[str, Sequence[str]], drawing: Drawing) -> Iterator[str]:
    """Compare the items that stand in each bucket, from top to bottom."""
    for bucket, items in said.items():
        drawn = [list(found) for name, found in drawing.ranked if name == bucket]
        if list(items) not in drawn:
            yield f"the items in {bucket!r} are {drawn[0] if drawn else []}, not {list(items)}"


def _compare_labels(result: Result, region: DrawnRegion) -> Iterator[str]:
    kind = str(result.get("type"))
    name = kind if kind.endswith("labels") else "labels"
    for label in result["value"].get(name) or ():
        if label not in region.labels:
            yield f"its label {label!r} is not one of the editor's: it is drawn without a name"


def _compare_place(
    result: Result, region: DrawnRegion, drawing: Drawing, config: LabelConfig
) -> Iterator[str]:
    value = result["value"]
    if region.kind in ("richtextregion", "textrange"):
        yield from _compare_text(value, region)
    elif region.kind in ("brushregion", "bitmaskregion"):
        yield from _compare_mask(result, region)
    elif region.kind == "audioregion":
        yield from _compare_span((value["start"], value["end"]), region, SECOND, "s")
    elif region.kind == "timeseriesregion":
        yield from _compare_series(result, region, config)
    elif region.kind == "timelineregion":
        yield from _compare_bars(value, region)
    elif region.kind == "videorectangleregion":
        yield from _compare_track(result, drawing)
    elif region.size is not None:
        yield from _compare_points(_expected_points(region.kind, value, region.size), region.points)


def _compare_text(value: Result, region: DrawnRegion) -> Iterator[str]:
    said = value.get("text")
    if region.text is None or not (region.boxes or region.text.isspace()):
        yield f"nothing is highlighted in the text; expected {said!r}"
    elif isinstance(said, str) and "".join(said.split()) != "".join(region.text.split()):
        yield f"the editor highlights {region.text!r}, not {said!r}"


def _compare_mask(result: Result, region: DrawnRegion) -> Iterator[str]:
    shape = Brush if "rle" in result["value"] else Bitmask
    said = shape.from_value(result["value"], read_image_size(result)).mask > 127
    if region.runs is None or region.size is None:
        yield "the mask is not drawn"
        return
    width, height = region.size
    if said.shape != (height, width):
        found = f"{said.shape[1]}x{said.shape[0]}"
        yield f"the mask has {found} pixels, the image {width}x{height}: it is stretched"
        return
    drawn = _read_runs(region.runs).reshape(height, width)
    wrong = int(np.sum(drawn & ~_grow(said)) + np.sum(said & ~_grow(drawn)))
    if wrong:
        yield f"{wrong} pixels of the mask are over a pixel away from where they should be"


def _read_runs(runs: Sequence[int]) -> NDArray[np.bool_]:
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask with the pixels that touch it."""
    wide = np.pad(mask, 1)
    height, width = mask.shape
    places = itertools.product(range(3), range(3))
    grown: NDArray[np.bool_] = np.logical_or.reduce(
        [wide[y : y + height, x : x + width] for y, x in places]
    )
    return grown


def _compare_span(
    said: tuple[float, float], region: DrawnRegion, tolerance: float, unit: str
) -> Iterator[str]:
    if region.span is None:
        yield "it is not drawn on the axis"
    elif any(abs(a - b) > tolerance for a, b in zip(said, region.span, strict=False)):
        start, end = region.span[:2]
        yield f"it is drawn from {start:g} to {end:g} {unit}, not from {said[0]:g} to {said[1]:g}"


def _compare_series(result: Result, region: DrawnRegion, config: LabelConfig) -> Iterator[str]:
    target = config.objects.get(str(result.get("to_name")))
    time_format = target.attrs.get("timeFormat") if target else None
    span = TimeSeriesSpan.from_value(result["value"], time_format)
    said = [_milliseconds(time) for time in (span.start, span.end)]
    pixel = region.span[2] if region.span is not None else 0.0
    # The editor draws a moment two pixels wide.
    if said[0] is not None and said[1] is not None:
        end = max(said[1], said[0] + 2 * pixel)
        yield from _compare_span((said[0], end), region, max(pixel, SECOND), "of the axis")


def _milliseconds(time: Any) -> float | None:
    """Return a date as the editor's axis has it, as it has numbers; None for another text."""
    if isinstance(time, int | float):
        return float(time)
    if isinstance(time, str):
        return None
    return float(time.replace(tzinfo=time.tzinfo or timezone.utc).timestamp() * 1000)


def _compare_bars(value: Result, region: DrawnRegion) -> Iterator[str]:
    said = [(span["start"], span["end"]) for span in value.get("ranges") or ()]
    bars = region.bars or ()
    for start, end in said:
        if not any(abs(a - start) <= FRAME and abs(b - end) <= FRAME for a, b in bars):
            yield f"no bar goes from frame {start} to {end}; there are {[list(b) for b in bars]}"


def _compare_track(result: Result, drawing: Drawing) -> Iterator[str]:
    size = drawing.video_size
    places = drawing.tracks.get(str(result.get("id")), {})
    sequence = sorted(result["value"].get("sequence") or (), key=lambda key: key["frame"])
    for frame, found in places.items():
        said = _expected_box(sequence, frame)
        if size is None or (said is None and found is None):
            continue
        if said is None or found is None:
            yield f"on frame {frame} it is {'not ' if found is None else ''}drawn"
        else:
            for message in _compare_points(_corners(said, size), found):
                yield f"on frame {frame}: {message}"


def _expected_box(sequence: Sequence[Result], frame: int) -> Result | None:
    """Return the box on a frame, between key frames in equal steps; None where there is none."""
    before = [key for key in sequence if key["frame"] <= frame]
    if not before:
        return None
    last = before[-1]
    if last["frame"] == frame:
        return last
    if not last.get("enabled", True):
        return None
    after = next((key for key in sequence if key["frame"] > frame), None)
    if after is None:
        return last
    share = (frame - last["frame"]) / (after["frame"] - last["frame"])
    keys = ("x", "y", "width", "height", "rotation")
    return {key: last.get(key, 0) + share * (after.get(key, 0) - last.get(key, 0)) for key in keys}


def _expected_points(kind: str, value: Result, size: Sequence[int]) -> list[Point] | None:
    """Return what drawn.js reads of a shape, in pixels; None for what it cannot read."""
    width, height = size
    if kind == "rectangleregion":
        return _corners(value, size)
    if kind == "ellipseregion":
        centre = (value["x"] * width / 100, value["y"] * height / 100)
        across, down = value["radiusX"] * width / 100, value["radiusY"] * height / 100
        ends = [(across, 0.0), (0.0, down), (-across, 0.0), (0.0, -down)]
        return _turn(ends, value.get("rotation", 0), centre)
    if kind == "polygonregion":
        return [(x * width / 100, y * height / 100) for x, y in value["points"]]
    if kind == "keypointregion":
        return [(value["x"] * width / 100, value["y"] * height / 100)]
    vertices = value.get("vertices") or ()
    if kind != "vectorregion" or not vertices or any(v.get(VECTOR_CURVE) for v in vertices):
        return None
    xs = [vertex["x"] * width / 100 for vertex in vertices]
    ys = [vertex["y"] * height / 100 for vertex in vertices]
    return [(min(xs), min(ys)), (max(xs), max(ys))]


def _corners(value: Result, size: Sequence[int]) -> list[Point]:
    """Return the corners of a box, turned clockwise about the first of them."""
    first = (value["x"] * size[0] / 100, value["y"] * size[1] / 100)
    across, down = value["width"] * size[0] / 100, value["height"] * size[1] / 100
    corners = [(0.0, 0.0), (across, 0.0), (across, down), (0.0, down)]
    return _turn(corners, value.get("rotation", 0), first)


def _turn(points: Sequence[Point], degrees: float, centre: Point) -> list[Point]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in points
    ]


def _compare_points(said: Sequence[Point] | None, found: Sequence[Point] | None) -> Iterator[str]:
    if said is None:
        return
    if found is None:
        yield "it is not drawn on the image"
    elif len(said) != len(found):
        yield f"it is drawn with {len(found)} points, not {len(said)}"
    else:
        pairs = list(zip(said, found, strict=True))
        away = max(range(len(pairs)), key=lambda at: math.dist(*pairs[at]))
        (x, y), (left, top) = pairs[away]
        if math.dist(*pairs[away]) > PIXEL:
            yield f"a point is drawn at {left:g}, {top:g}, not at {x:g}, {y:g}"

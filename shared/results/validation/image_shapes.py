"""Checks the `value` of shapes on images.

Geometry is in percent of the upright image (contract, section 5).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.results.image import KeyPoint
from shared.results.parse import IMAGE_SHAPES
from shared.results.validation.finding import (
    Problems,
    RuleViolation,
    Value,
    is_number,
    list_problem,
    quote,
)
from shared.results.validation.masks import check_bitmask, check_brush

# Percent by which a shape may exceed the image, for rounding.
TOLERANCE_PERCENT = 0.01
LOW, HIGH = -TOLERANCE_PERCENT, 100 + TOLERANCE_PERCENT

# A check takes a result's `value` and the whole result.
Check = Callable[[Value, Value], Problems]


def number_problems(
    value: Value, key: str, low: float, high: float, zero: bool = True
) -> Iterator[RuleViolation]:
    """Check that a key holds a finite number from `low` to `high`."""
    found = value.get(key)
    if key not in value or found is None:
        yield RuleViolation("missing_key", f'"{key}" is missing')
    elif not is_number(found):
        yield RuleViolation("not_a_number", f'"{key}" is {quote(found)}, expected a finite number')
    elif not zero and found <= 0:
        yield RuleViolation("zero_size", f'"{key}" is {quote(found)}, expected more than 0')
    elif not low <= found <= high:
        yield RuleViolation(
            "out_of_image",
            f'"{key}" is {quote(found)}, expected percent from {max(low, 0):g} to {high:g}'
            + (" (is it in pixels?)" if found > high else ""),
        )


def check_rectangle(value: Value, result: Value) -> Problems:
    """Check top-left corner and size. A rotated box may exceed the image, but not lie outside."""
    turned = value.get("rotation") or 0
    if not is_number(turned):
        return [RuleViolation("not_a_number", f'"rotation" is {quote(turned)}, expected degrees')]
    low, high = (-1e9, 1e9) if turned else (LOW, HIGH)
    problems = [
        *number_problems(value, "x", low, high),
        *number_problems(value, "y", low, high),
        *number_problems(value, "width", 0, high, zero=False),
        *number_problems(value, "height", 0, high, zero=False),
    ]
    if problems or turned:
        return problems
    return [*_overflow_problems(value, "x", "width"), *_overflow_problems(value, "y", "height")]


def _overflow_problems(value: Value, start: str, size: str) -> Iterator[RuleViolation]:
    end = value[start] + value[size]
    if end > HIGH:
        yield RuleViolation(
            "out_of_image",
            f'"{start}" + "{size}" is {quote(round(end, 4))}, expected at most 100',
        )


def check_ellipse(value: Value, result: Value) -> Problems:
    """Check centre and radii."""
    return [
        *number_problems(value, "x", LOW, HIGH),
        *number_problems(value, "y", LOW, HIGH),
        *number_problems(value, "radiusX", 0, HIGH, zero=False),
        *number_problems(value, "radiusY", 0, HIGH, zero=False),
        *(
            number_problems(value, "rotation", -1e9, 1e9)
            if value.get("rotation") is not None
            else ()
        ),
    ]


def check_keypoint(value: Value, result: Value) -> Problems:
    """Check a point and its size; without `width` the editor does not take it for a keypoint."""
    return [
        *number_problems(value, "x", LOW, HIGH),
        *number_problems(value, "y", LOW, HIGH),
        *number_problems(value, "width", 0, HIGH, zero=False),
    ]


def check_polygon(value: Value, result: Value) -> Problems:
    """Check at least three points that span an area."""
    points = value.get("points")
    if not isinstance(points, list | tuple):
        return [list_problem(value, "points")]
    if len(points) < 3:
        what = f"a polygon has {len(points)} points, expected 3 or more"
        return [RuleViolation("too_few_points", what)]
    for place, point in enumerate(points):
        if not (isinstance(point, list | tuple) and len(point) == 2 and all(map(is_number, point))):
            found = f"point {place} is {quote(point)}, expected two finite numbers [x, y]"
            return [RuleViolation("not_a_number", found)]
        if not (LOW <= point[0] <= HIGH and LOW <= point[1] <= HIGH):
            found = f"point {place} is {quote(point)}, expected percent from 0 to 100"
            return [RuleViolation("out_of_image", found)]
    if _bounding_area(points) < 1e-9:
        return [RuleViolation("zero_size", "the polygon's points span no area")]
    return ()


def _bounding_area(points: Any) -> float:
    """Return the area of the box around the points; 0 for one point or an axis-parallel line."""
    xs, ys = [float(point[0]) for point in points], [float(point[1]) for point in points]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def check_vector(value: Value, result: Value) -> Problems:
    """Check vertices, each with an id, linked by `prevPointId`."""
    vertices = value.get("vertices")
    if not isinstance(vertices, list | tuple) or not vertices:
        return [list_problem(value, "vertices")]
    if len(vertices) < 2:
        return [RuleViolation("too_few_points", "a vector has 1 vertex, expected 2 or more")]
    seen: set[Any] = set()
    for place, vertex in enumerate(vertices):
        problem = _vertex_problem(place, vertex, seen)
        if problem:
            return [problem]
        seen.add(vertex.get("id"))
    return ()


def _vertex_problem(place: int, vertex: Any, seen: set[Any]) -> RuleViolation | None:
    if not isinstance(vertex, dict):
        return RuleViolation(
            "not_an_object", f"vertex {place} is {quote(vertex)}, expected an object"
        )
    for problem in (
        *number_problems(vertex, "x", LOW, HIGH),
        *number_problems(vertex, "y", LOW, HIGH),
    ):
        return problem._replace(message=f"vertex {place}: {problem.message}")
    name, before = vertex.get("id"), vertex.get("prevPointId")
    if name is not None and (not isinstance(name, str) or name in seen):
        return RuleViolation(
            "vertex_id", f'vertex {place}: "id" is {quote(name)}, expected a string of its own'
        )
    if before is not None and (not isinstance(before, str) or before not in seen):
        return RuleViolation(
            "vertex_id", f'vertex {place}: "prevPointId" is {quote(before)}, no vertex before it'
        )
    return None


def guess_shape(value: Value) -> str | None:
    """Return the type of the shape that a value has, by its keys as the editor reads them."""
    shapes = (shape for key, shape in IMAGE_SHAPES.items() if key in value)
    shape = next(shapes, KeyPoint if "x" in value else None)
    return shape.__name__.lower() if shape else None


# Checks by the type of the drawing tag; labelled ones end with `labels`.
SHAPE_CHECKS: Mapping[str, Check] = {
    "rectangle": check_rectangle,
    "ellipse": check_ellipse,
    "keypoint": check_keypoint,
    "polygon": check_polygon,
    "brush": check_brush,
    "magicwand": check_brush,
    "bitmask": check_bitmask,
    "vector": check_vector,
}

"""Converts masks to polygons with few enough points for the editor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shared.results.polygon import Polygon

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# shape (n, 2), pixel edges.
Contour: TypeAlias = "NDArray[np.int32]"

# The tolerance grows by this factor until there are few enough points.
TOLERANCE_GROWTH = 1.5


def mask_to_polygons(
    mask: "NDArray[Any]",
    tolerance: float = 1.0,
    max_points: int = 200,
    holes: Literal["fill", "cut"] = "fill",
    min_area: float = 4.0,
) -> list[Polygon]:
    """Convert the parts of a mask of shape (height, width) to polygons, the largest first.

    Each separate part is a polygon of its own. Its outline runs along the pixels' edges and
    is simplified: no point of it is further than `tolerance` pixels away, unless `max_points`
    makes it coarser. Label Studio's polygons have no holes: they are filled, or with
    `holes="cut"` reached from outside by a cut of no width. Parts and holes under `min_area`
    pixels are left out; gaps of one pixel are closed.
    """
    import cv2
    import numpy as np

    inside = np.ascontiguousarray(np.atleast_2d(mask) != 0, np.uint8)
    if not inside.any():
        return []
    left, top, width, height = cv2.boundingRect(inside)
    crop = np.zeros((height + 1, width + 1), np.uint8)
    crop[:-1, :-1] = inside[top : top + height, left : left + width]
    # A contour through the corners between pixels runs along pixel edges, not through centres.
    lattice = cv2.dilate(crop, np.ones((2, 2), np.uint8), anchor=(1, 1))
    mode = cv2.RETR_CCOMP if holes == "cut" else cv2.RETR_EXTERNAL
    found, tree = cv2.findContours(lattice, mode, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    parts = list(_rings_of_parts(found, tree, min_area))
    parts.sort(key=lambda part: -part[0])
    return [Polygon(_outline_of_part(rings, tolerance, max_points).tolist()) for _, rings in parts]


def _rings_of_parts(
    found: Any, tree: Any, min_area: float
) -> Iterator[tuple[float, list[Contour]]]:
    """Yield each outer contour with its holes, and the area."""
    import cv2

    for place, outer in enumerate(found):
        area = cv2.contourArea(outer)
        if tree[0][place][3] >= 0 or area < min_area:
            continue
        rings = [outer[:, 0]]
        child = tree[0][place][2]
        while child >= 0:
            if cv2.contourArea(found[child]) >= min_area:
                rings.append(found[child][:, 0])
            child = tree[0][child][0]
        yield area, rings


def _outline_of_part(rings: list[Contour], tolerance: float, max_points: int) -> Contour:
    """Simplify rings until they have few enough points, and join them to one."""
    import numpy as np

    most = max(max_points, 4)
    while True:
        simple = [_simplify_ring(ring, tolerance) for ring in rings]
        if sum(map(len, simple)) + 2 * (len(simple) - 1) <= most:
            return _join_rings(simple)
        tolerance = max(tolerance * TOLERANCE_GROWTH, 0.25)
        rings = rings[:1] + [r for r in rings[1:] if np.ptp(r, axis=0).min() > tolerance]


def _simplify_ring(ring: Contour, tolerance: float) -> Contour:
    """Simplify a ring by Douglas-Peucker; one that would vanish becomes its bounding box."""
    import cv2
    import numpy as np

    simple: Contour = cv2.approxPolyDP(ring, tolerance, True)[:, 0]
    if len(simple) >= 3:
        return simple
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.int32)


def _join_rings(rings: list[Contour]) -> Contour:
    """Join holes to the outline: each is cut open at the nearest point, there and back."""
    import numpy as np

    outline = rings[0]
    for hole in rings[1:]:
        apart = np.linalg.norm(outline[:, None] - hole[None], axis=2)
        at, start = np.unravel_index(int(apart.argmin()), apart.shape)
        around = np.concatenate([hole[start:], hole[: start + 1]])
        outline = np.concatenate([outline[: at + 1], around, outline[at:]])
    return outline

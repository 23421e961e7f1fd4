"""How similar regions are, from 0 to 1: overlap of areas, spans and tracks, distance of points."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.similarity.areas import area_iou, bounding_area, line_iou, shapes_on
from shared.evaluation.similarity.spans import SPANS, span_iou
from shared.evaluation.similarity.track_frames import track_iou
from shared.media.image_size import ImageSize
from shared.results import (
    Bitmask,
    Brush,
    ChatMessage,
    Ellipse,
    KeyPoint,
    PageBox,
    ParsedRegion,
    Polygon,
    Rectangle,
    Vector,
    VideoTrack,
)
from shared.results.whole_task import WholeTask

# How far a key point may be off, as a part of its object's size: COCO's k for eyes, 2 × 0.025, the
# strictest of its constants (https://cocodataset.org/#keypoints-eval).
KEY_POINT_K = 0.05

# What regions can be compared as.
AREA, LINE, POINT, TRACK, WHOLE = "area", "line", "point", "track", "whole task"
KINDS: Mapping[type, str] = {
    **dict.fromkeys((Rectangle, Polygon, Ellipse, Brush, Bitmask), AREA),
    KeyPoint: POINT,
    VideoTrack: TRACK,
    WholeTask: WHOLE,
    ChatMessage: WHOLE,
    **{span: span.__name__ for span in SPANS},
}

# The sides of a page whose size is not known; boxes on it are compared in parts of them.
PAGE_SIZE = ImageSize(1000, 1000)

Regions: TypeAlias = Sequence[ParsedRegion]
Matrix: TypeAlias = NDArray[np.float64]


def similarity_matrix(predicted: Regions, truth: Regions) -> Matrix:
    """Return how similar each predicted region is to each true one, shape (predicted, truth).

    - areas on images (boxes, oriented boxes, polygons, ellipses, closed vectors, masks): the IoU
      of their exact areas, of their pixels where one of the two is a mask
    - open vectors: the IoU of bands along the lines, see `line_iou`
    - key points: COCO's OKS, exp(-d² / (2 s² k²)), with k = KEY_POINT_K and s² the area of the
      parent region's box (`parentID`) if it is among `truth`, or else of the image
    - spans of characters, seconds, frames and times: their IoU; audio on different channels and
      spans of different types have none
    - tracks: the mean IoU over all frames on which one of the two is shown
    - boxes on pages: their IoU, if they are on the same page
    - whole tasks and messages: 1

    Regions of different kinds, object tags or list items (`item_index`) have a similarity of 0.
    """
    predicted, truth = _on_pictures(predicted), _on_pictures(truth)
    found: Matrix = np.zeros((len(predicted), len(truth)))
    places, true_places = _group_places(predicted), _group_places(truth)
    if len(places) == 1 and places.keys() == true_places.keys():
        ((kind, *_),) = places
        return _comparison(kind, truth)(predicted, truth)
    for key, rows in places.items():
        columns = true_places.get(key)
        if columns:
            of_rows, of_columns = ([predicted[row] for row in rows], [truth[at] for at in columns])
            found[np.ix_(rows, columns)] = _comparison(key[0], truth)(of_rows, of_columns)
    return found


def _on_pictures(regions: Regions) -> Regions:
    """Return boxes on pages as boxes on the pictures of a list; other regions as they are."""
    if not any(isinstance(region.shape, PageBox) for region in regions):
        return regions
    return [
        _as_rectangle(region, region.shape) if isinstance(region.shape, PageBox) else region
        for region in regions
    ]


def _as_rectangle(region: ParsedRegion, box: PageBox) -> ParsedRegion:
    [width, height] = (1.0, 1.0) if region.source is None else region.source[box.page]
    across, down = PAGE_SIZE.width / width, PAGE_SIZE.height / height
    shape = Rectangle(
        box.x * across, box.y * down, box.width * across, box.height * down, box.rotation
    )
    keys = {**region.region_keys, "item_index": box.page}
    return replace(region, shape=shape, source=PAGE_SIZE, region_keys=keys)


def _group_places(regions: Regions) -> dict[tuple[str, str, Any], list[int]]:
    """Return the places of regions that can be compared, by what they must have in common."""
    groups: dict[tuple[str, str, Any], list[int]] = {}
    for place, region in enumerate(regions):
        kind = KINDS.get(type(region.shape)) or _kind_of(region)
        target = next(iter(region.values)).to_name if region.values else ""
        key = (kind, target, region.region_keys.get("item_index") or 0)
        groups.setdefault(key, []).append(place)
    return groups


def _kind_of(region: ParsedRegion) -> str:
    if isinstance(region.shape, Vector):
        return AREA if region.shape.closed else LINE
    kind = KINDS.get(type(region.shape))
    if kind is None:
        raise TypeError(f"Regions of {type(region.shape).__name__} cannot be compared")
    return kind


def _comparison(kind: str, truth: Regions) -> Callable[[Regions, Regions], Matrix]:
    if kind == POINT:
        return lambda predicted, points: _point_similarity(predicted, points, truth)
    return {AREA: area_iou, LINE: line_iou, TRACK: track_iou, WHOLE: _all_similar}.get(
        kind, span_iou
    )


def _all_similar(predicted: Regions, truth: Regions) -> Matrix:
    return np.ones((len(predicted), len(truth)))


def _point_similarity(predicted: Regions, points: Regions, truth: Regions) -> Matrix:
    """Return COCO's OKS of each two points."""
    size = points[0].source
    at, true_at = (
        np.array([(point.x, point.y) for point in shapes_on(regions, size)], np.float64)
        for regions in (predicted, points)
    )
    distances = ((at[:, None] - true_at[None]) ** 2).sum(axis=2)
    by_id = {region.id: region for region in truth if region.id}
    areas = np.array([_object_area(point, by_id) for point in points])
    found: Matrix = np.exp(-distances / (2 * np.maximum(areas, 1) * KEY_POINT_K**2))
    return found


def _object_area(point: ParsedRegion, by_id: Mapping[str, ParsedRegion]) -> float:
    """Return the area of the object that a point belongs to, in square pixels."""
    parent = by_id.get(point.region_keys.get("parentID", ""))
    if parent is not None and _kind_of(parent) == AREA:
        return bounding_area(parent)
    return float(point.source.width * point.source.height)

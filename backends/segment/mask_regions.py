"""Masks as regions of the control tag that has the object's label."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from backends.segment.prompts import BinaryMask
from backends.segment.segmenter import SegmentedImage, SegmentedObject
from backends.segment.tag_choice import LabelOwnership, base_tag
from shared.backend import Claim, Control
from shared.errors import UnfillableError
from shared.results import (
    Bitmask,
    Brush,
    Ellipse,
    ImageSize,
    Polygon,
    Rectangle,
    Region,
    mask_to_polygons,
    region,
)

# Parts of a mask become polygons of their own if they have this part of the largest one's area.
MIN_PART_RATIO = 0.05


def build_regions(found: SegmentedImage, claim: Claim) -> Iterable[Region]:
    """Yield a region for each object whose label is the claim's to give, with a stable id.

    The id follows from the first click on the object, so that further clicks change the region.
    Separate parts of a mask are separate polygons; every other tag gets one region an object.
    """
    if found.size is None:  # nothing was asked
        return
    for one in found.objects:
        label = _label_for(one.label, claim)
        if label is None:
            continue
        values = _control_values(claim, label)
        keys = {} if found.item_index is None else {"item_index": found.item_index}
        for number, shape in enumerate(_shapes(one, found.size, claim)):
            part_id = f"{one.region_id}{number or ''}" if one.region_id else None
            yield region(shape, values, source=found.size, score=one.score, id=part_id, **keys)


def _label_for(label: str, claim: Claim) -> str | None:
    """Return the label that a claim's region gets, "" for none; None if it is not the claim's.

    Where no label was selected and the tag has but one, that is meant. UnfillableError if no
    control tag can take the object.
    """
    owned: LabelOwnership = claim.options["owned"]
    if owned.labels is None:
        return None if label in owned.elsewhere else ""
    if label in owned.labels:
        return label
    if not label and len(owned.labels) == 1:
        return next(iter(owned.labels))
    if label not in owned.elsewhere and not owned.rest_elsewhere:
        what = f'the label "{label}"' if label else "no label"
        known = ", ".join(claim.controls[-1].labels)
        raise UnfillableError(
            f"What is drawn has {what}, and {claim.controls[-1]} has {known}: select one of these"
            " before drawing"
        )
    return None


def _control_values(claim: Claim, label: str) -> Mapping[Control, Any]:
    values: dict[Control, Any] = dict.fromkeys(claim.controls[:1])
    if label:
        values[claim.controls[-1]] = [label]
    return values


def _shapes(one: SegmentedObject, size: ImageSize, claim: Claim) -> Iterable[Any]:
    tag = base_tag(claim.control)
    if tag == "Brush":
        yield Brush(one.full_mask(size))
    elif tag == "Bitmask":
        yield Bitmask(one.full_mask(size))
    elif tag == "Polygon":
        yield from _polygons(one, claim)
    elif tag == "Ellipse":
        yield _fit_ellipse(one)
    else:
        height, width = one.pixels.shape
        yield Rectangle(one.left, one.top, width, height)


def _polygons(one: SegmentedObject, claim: Claim) -> Iterable[Polygon]:
    """Yield the parts of a mask, without those that are specks beside the largest."""
    least = max(4.0, MIN_PART_RATIO * _largest_part(one.pixels))
    found = mask_to_polygons(
        one.pixels, claim.options["tolerance"], claim.options["max_points"], "cut", least
    )
    for polygon in found:
        yield Polygon([(x + one.left, y + one.top) for x, y in polygon.points])


def _largest_part(pixels: BinaryMask) -> float:
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8), connectivity=4)
    return float(stats[1:, cv2.CC_STAT_AREA].max())


def _fit_ellipse(one: SegmentedObject) -> Ellipse:
    """Return the ellipse with the mask's centre, spread and direction."""
    ys, xs = np.nonzero(one.pixels)
    center = np.array([xs.mean(), ys.mean()]) + 0.5
    # A pixel is a square, whose own spread is 1 / 12.
    spread = np.cov(np.stack([xs, ys]), bias=True) + np.eye(2) / 12
    variances, axes = np.linalg.eigh(spread)
    minor, major = 2 * np.sqrt(variances)
    direction = axes[:, 1] if axes[0, 1] >= 0 else -axes[:, 1]
    turn = math.degrees(math.atan2(direction[1], direction[0]))
    x, y = float(center[0]) + one.left, float(center[1]) + one.top
    return Ellipse(x, y, float(major), float(minor), turn)

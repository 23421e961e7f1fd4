"""Draws clicks and boxes on pictures of shapes, and what they mean: what the starter is to do.

- A positive click means the shape under it, with those that lie on it wholly.
- A box means every shape that lies in it.
- A negative click takes the shape under it away, such as an inner part or one of several.
- Where clicks disagree, the shape that was drawn later decides: a part, not what it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from backends.segment.prompts import Box, ObjectPrompt, Point
from backends.segment.starter.pictures import Floats, Mask, Picture

# A shape lies in a box if this fraction of its pixels does; boxes with parts of shapes between
# the two fractions are not asked for.
INSIDE, OUTSIDE = 0.93, 0.7
# Pixels that a shape must show to be asked for.
MIN_PIXELS = 40
# The width of an error that a user sees and clicks on.
SEEN_PIXELS = 4
_BACKGROUND = -1


class Question(NamedTuple):
    """Prompts on a picture and the pixels that they mean.

    `points` float32 (n, 2), x and y in pixels; `positive` bool (n,); `box` float32 (4,), x1, y1,
    x2, y2, None without one; `truth` bool (height, width).
    """

    points: Floats
    positive: Mask
    box: Floats | None
    truth: Mask


def as_prompt(question: Question) -> ObjectPrompt:
    """Return a question as a model is asked it."""
    points = [
        Point(float(x), float(y), bool(is_positive))
        for (x, y), is_positive in zip(question.points, question.positive, strict=True)
    ]
    box = None if question.box is None else Box(*map(float, question.box))
    return ObjectPrompt(points, box)


def correct(question: Question, answer: Mask) -> Question:
    """Return a question with one more click, in the middle of the largest error of an answer.

    Errors that are thinner than `SEEN_PIXELS` are not seen, and no click is made on them.
    """
    wrong = (answer != question.truth).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(wrong, None, 4)
    if count < 2:
        return question
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    depth = cv2.distanceTransform(np.pad(parts == largest, 1).astype(np.uint8), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1]
    if 2 * depth.max() <= SEEN_PIXELS:
        return question
    y, x = np.unravel_index(int(depth.argmax()), wrong.shape)
    points = np.concatenate([question.points, np.array([[x + 0.5, y + 0.5]], np.float32)])
    return question._replace(
        points=points, positive=np.append(question.positive, question.truth[y, x])
    )


def ask_by_clicks(rng: Generator, picture: Picture, clicks: int, negative: bool) -> Question | None:
    """Ask for a shape by some positive clicks on it; with negative ones, too, on something else.

    None if the picture does not allow it.
    """
    seen = _visible(picture)
    if not seen:
        return None
    chosen = [int(rng.choice(seen))] * clicks
    unwanted = _unwanted(rng, picture, chosen, picture.parts_of(chosen[0])) if negative else []
    return _answer(rng, picture, chosen, unwanted, None)


def ask_by_box(rng: Generator, picture: Picture, negative: bool) -> Question | None:
    """Ask for the shapes in a box: one, or several that are close to each other.

    None if the picture does not allow it.
    """
    seen = _visible(picture)
    if not seen:
        return None
    first = int(rng.choice(seen))
    region = picture.regions[first]
    if len(seen) > 1 and rng.random() < 0.35:
        region = region | picture.regions[int(rng.choice(seen))]
    box = _loose_box(rng, region)
    inside = _in_box(picture, box)
    if inside is None or not inside:
        return None
    unwanted: list[int] = []
    if negative:
        parts = [part for number in inside for part in picture.parts_of(number)]
        several = inside if len(inside) > 1 else []
        unwanted = _unwanted(rng, picture, [], [*parts, *several])
    return _answer(rng, picture, [], unwanted, box)


def _visible(picture: Picture) -> list[int]:
    counts = np.bincount(picture.owner.ravel() + 1, minlength=len(picture.shapes) + 1)[1:]
    return [number for number, count in enumerate(counts) if count >= MIN_PIXELS]


def _unwanted(
    rng: Generator, picture: Picture, chosen: Sequence[int], likely: Sequence[int]
) -> list[int]:
    """Return where negative clicks go: mostly on a part, or on anything else that is seen."""
    allowed = set(_visible(picture)) - set(chosen)
    likely = sorted(set(likely) & allowed)
    if likely and rng.random() < 0.8:
        picked = int(rng.choice(likely))
    else:
        picked = int(rng.choice([_BACKGROUND, *sorted(allowed)]))
    return [picked] * int(rng.choice([1, 1, 2]))


def _loose_box(rng: Generator, region: Mask) -> Floats:
    """Return the box of a region, each edge up to 3 pixels or 4 % of a side off."""
    ys, xs = np.nonzero(region)
    box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
    sides = np.tile(box[2:] - box[:2], 2)
    outwards = np.array([-1, -1, 1, 1])
    off = np.clip(rng.normal(0.3, 0.6, 4), -0.5, 1) * np.maximum(3, 0.04 * sides)
    box += (outwards * off).astype(np.float32)
    height, width = region.shape
    return np.clip(box, 0, (width, height, width, height)).astype(np.float32)


def _in_box(picture: Picture, box: Floats) -> list[int] | None:
    """Return the shapes that lie in a box; None if it is unclear for one of them."""
    x1, y1, x2, y2 = np.rint(box).astype(int)
    inside = []
    for number, region in enumerate(picture.regions):
        fraction = region[y1:y2, x1:x2].sum() / max(1, region.sum())
        if OUTSIDE < fraction < INSIDE:
            return None
        if fraction >= INSIDE:
            inside.append(number)
    return inside


def _answer(
    rng: Generator, picture: Picture, chosen: list[int], unwanted: list[int], box: Floats | None
) -> Question | None:
    """Draw the clicks and put the pixels together that they mean; None if they mean none."""
    truth = np.zeros(picture.owner.shape, bool)
    if box is not None:
        for number in _in_box(picture, box) or ():
            truth |= picture.regions[number]
    signs = dict.fromkeys(chosen, True) | dict.fromkeys(unwanted, False)
    for number in sorted(signs):
        if number != _BACKGROUND:
            truth[picture.regions[number]] = signs[number]
    points = [_click(rng, picture.owner == number) for number in [*chosen, *unwanted]]
    if truth.sum() < MIN_PIXELS or any(point is None for point in points):
        return None
    positive = np.array([True] * len(chosen) + [False] * len(unwanted), bool)
    return Question(np.array(points, np.float32).reshape(-1, 2), positive, box, truth)


def _click(rng: Generator, pixels: Mask) -> tuple[float, float] | None:
    """Return a point on pixels, seldom at their very edge; None if there are none."""
    inner = pixels.copy()
    inner[1:] &= pixels[:-1]
    inner[:-1] &= pixels[1:]
    inner[:, 1:] &= pixels[:, :-1]
    inner[:, :-1] &= pixels[:, 1:]
    ys, xs = np.nonzero(inner if inner.sum() >= 8 else pixels)
    if not len(ys):
        return None
    pick = int(rng.integers(len(ys)))
    return float(xs[pick]) + 0.5, float(ys[pick]) + 0.5

"""Follows objects with any segmenter: where one was on a frame is the prompt for the next.

A frame is not embedded as a whole: around each object a window is cut out, in which the object is
large and what is like it elsewhere is not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from backends.segment.models.promptable_model import PromptableModel
from backends.segment.prompts import BinaryMask, Box, ObjectPrompt, Point
from backends.segment.video.object_tracker import Edges, FoundObject
from shared.media.image import Pixels

# The window is larger than the object by this part of its size on each side, and by some pixels.
WINDOW_MARGIN, WINDOW_PIXELS = 0.75, 16
# The box of the prompt is larger than the object was, so that it may have grown.
PROMPT_MARGIN, PROMPT_PIXELS = 0.1, 2.0
# What is found is another thing if its area is so many times larger or smaller than the usual one.
MAX_GROWTH = 2.5
# How fast the usual area follows that of the last frame.
AREA_PACE = 0.1
# How much of the motion between the last two frames is expected again.
MOTION_PACE = 0.5


@dataclass
class _State:
    """What is known of an object: where it was last seen, its motion a frame, its usual area."""

    last: FoundObject
    usual_area: float
    motion: tuple[float, float] = (0.0, 0.0)
    unseen_frames: int = 0

    def expected_box(self) -> Edges:
        """Return where it should be on the next frame."""
        across, down = self.motion
        left, top, right, bottom = self.last.box
        return Edges(left + across, top + down, right + across, bottom + down)

    def see(self, found: FoundObject) -> None:
        """Take note of where it is."""
        frames = self.unseen_frames + 1
        moved = np.subtract(_center(found.box), _center(self.last.box)) / frames
        motion = MOTION_PACE * moved + (1 - MOTION_PACE) * np.array(self.motion)
        self.motion = float(motion[0]), float(motion[1])
        self.usual_area += AREA_PACE * (found.area - self.usual_area)
        self.last, self.unseen_frames = found, 0


@dataclass
class PromptedTracker:
    """Follows objects by a promptable model. See `ObjectTracker`."""

    model: PromptableModel
    _states: list[_State | None] = field(default_factory=list)

    def start(self, image: Pixels, prompts: Sequence[ObjectPrompt]) -> Sequence[FoundObject | None]:
        found = [self._segment(image, _prompted_edges(prompt), prompt) for prompt in prompts]
        self._states = [None if one is None else _State(one, one.area) for one in found]
        return found

    def follow(self, image: Pixels) -> Sequence[FoundObject | None]:
        return [None if state is None else self._follow(image, state) for state in self._states]

    def _follow(self, image: Pixels, state: _State) -> FoundObject | None:
        expected = _move_inside(state.expected_box(), image)
        found = self._segment(image, expected, _next_prompt(state, expected))
        if found is None or not 1 / MAX_GROWTH < found.area / state.usual_area < MAX_GROWTH:
            state.unseen_frames += 1
            return None
        state.see(found)
        return found

    def _segment(self, image: Pixels, around: Edges, prompt: ObjectPrompt) -> FoundObject | None:
        """Return what a prompt means, in the window around a box; None if that is nothing."""
        window = _window_around(around, image)
        left, top, right, bottom = window
        pixels = np.ascontiguousarray(image[top:bottom, left:right])
        if not pixels.size:
            return None
        embedding = self.model.encode(pixels)
        [predicted] = self.model.decode(embedding, [_shift(prompt, window)])
        mask = largest_part(predicted.mask)
        if mask is None:
            return None
        return FoundObject.of_mask(mask, predicted.score, left, top)


def largest_part(mask: BinaryMask) -> BinaryMask | None:
    """Return the largest connected part of a mask; None if the mask is empty."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    part: BinaryMask = parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return part


def _next_prompt(state: _State, expected: Edges) -> ObjectPrompt:
    """Return the prompt for the next frame: a box, and a point where the object is thickest."""
    across = max(PROMPT_PIXELS, PROMPT_MARGIN * expected.width)
    down = max(PROMPT_PIXELS, PROMPT_MARGIN * expected.height)
    left, top, right, bottom = expected
    x, y = _thickest_place(state.last.pixels)
    return ObjectPrompt(
        [Point(left + x, top + y)], Box(left - across, top - down, right + across, bottom + down)
    )


def _thickest_place(pixels: BinaryMask) -> tuple[float, float]:
    """Return the place in a mask that is farthest from its edge."""
    padded = np.pad(pixels.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def _prompted_edges(prompt: ObjectPrompt) -> Edges:
    """Return the box around all that is drawn on an object."""
    corners = [(point.x, point.y) for point in prompt.points if point.is_positive]
    if prompt.box is not None:
        corners += [(prompt.box.left, prompt.box.top), (prompt.box.right, prompt.box.bottom)]
    xs, ys = zip(*corners, strict=True)
    return Edges(min(xs), min(ys), max(xs), max(ys))


def _window_around(box: Edges, image: Pixels) -> tuple[int, int, int, int]:
    """Return the window around a box, cut to the image."""
    height, width = image.shape[:2]
    across = WINDOW_MARGIN * box.width + WINDOW_PIXELS
    down = WINDOW_MARGIN * box.height + WINDOW_PIXELS
    left, right = max(0, int(box.left - across)), min(width, int(box.right + across) + 1)
    top, bottom = max(0, int(box.top - down)), min(height, int(box.bottom + down) + 1)
    return left, top, right, bottom


def _shift(prompt: ObjectPrompt, window: tuple[int, int, int, int]) -> ObjectPrompt:
    """Return a prompt in pixels of a window, cut to it."""
    left, top, right, bottom = window
    points = [
        Point(
            min(max(one.x - left, 0.0), right - left - 0.5),
            min(max(one.y - top, 0.0), bottom - top - 0.5),
            one.is_positive,
        )
        for one in prompt.points
    ]
    box = prompt.box
    if box is not None:
        box = Box(
            max(box.left - left, 0.0),
            max(box.top - top, 0.0),
            min(box.right - left, float(right - left)),
            min(box.bottom - top, float(bottom - top)),
        )
    return replace(prompt, points=points, box=box)


def _move_inside(box: Edges, image: Pixels) -> Edges:
    """Return a box that has left the image, back at its edge."""
    height, width = image.shape[:2]
    across = min(max(box.left, 0.0), max(width - box.width, 0.0)) - box.left
    down = min(max(box.top, 0.0), max(height - box.height, 0.0)) - box.top
    return Edges(box.left + across, box.top + down, box.right + across, box.bottom + down)


def _center(box: Edges) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2

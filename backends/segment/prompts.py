"""What the user has drawn around or on one object, in pixels of the upright image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
# Shape (height, width), the image's own.
BinaryMask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Point:
    """A click at `x`, `y`: on the object, or on what is not to be part of it."""

    x: float
    y: float
    is_positive: bool = True


@dataclass(frozen=True)
class Box:
    """A box around the object: its edges."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """The area in square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def contains(self, point: Point) -> bool:
        """Whether a click lies in it."""
        return self.left <= point.x <= self.right and self.top <= point.y <= self.bottom

    def distance_to(self, point: Point) -> float:
        """Return how far a click is from it, in pixels; 0 inside."""
        across = max(self.left - point.x, 0.0, point.x - self.right)
        down = max(self.top - point.y, 0.0, point.y - self.bottom)
        return math.hypot(across, down)


@dataclass(frozen=True, eq=False)
class ObjectPrompt:
    """All prompts for one object: clicks in the order in which they were made, and a box.

    `stroke` is what was painted roughly over the object. `previous_logits` are the `logits` of
    the mask before the last click, which the model is to refine.
    """

    points: Sequence[Point] = ()
    box: Box | None = None
    stroke: BinaryMask | None = None
    previous_logits: Floats | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing says where the object is: negative clicks alone do not."""
        has_click = any(point.is_positive for point in self.points)
        return not has_click and self.box is None and self.stroke is None

    def first_points(self, count: int) -> "ObjectPrompt":
        """Return the prompt as it was after its first clicks."""
        return replace(self, points=tuple(self.points[:count]))

    def refining(self, logits: Any) -> "ObjectPrompt":
        """Return the prompt with the mask that it is to refine."""
        return replace(self, previous_logits=logits)

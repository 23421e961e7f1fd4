"""The starter: a segmenter of drawn shapes, by regions of like colour. It has no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from backends.segment.models import region_growing
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.models.region_growing import (
    SEED_TOLERANCE,
    STRICT_TOLERANCE,
    Region,
    SeedGroups,
    grow_mask,
    smooth,
)
from backends.segment.models.strokes import all_points
from backends.segment.prompts import Floats, ObjectPrompt
from shared.media.image import Pixels
from shared.results import ImageSize

# What its answers follow from, as those of others do from their weights.
STARTER_FILE = Path(region_growing.__file__)
# The longer side of what is kept of an image, and of the logits of a mask, in pixels.
MAX_SIDE, LOGITS_SIDE = 640, 256
# Of more clicks the last are taken: time grows with their number.
MAX_POINTS = 48
SMOOTHED = "smoothed"


@dataclass(frozen=True)
class StarterFrame:
    """An image of `size` as it is kept, which is smaller if it is large."""

    size: ImageSize

    @property
    def scaled(self) -> ImageSize:
        """The size as it is kept."""
        gain = min(1.0, MAX_SIDE / max(self.size))
        return ImageSize(*(max(1, round(length * gain)) for length in self.size))

    def scale(self, pixels: Pixels) -> Pixels:
        """Return an image as it is kept."""
        if self.scaled == self.size:
            return pixels
        return np.asarray(cv2.resize(pixels, tuple(self.scaled), interpolation=cv2.INTER_AREA))

    def restore(self, mask: Region) -> Region:
        """Return a mask of what is kept as one of the image."""
        if self.scaled == self.size:
            return mask
        enlarged = cv2.resize(mask.astype(np.float32), tuple(self.size))
        return np.asarray(enlarged > 0.5)

    def place(self, prompt: ObjectPrompt) -> SeedGroups:
        """Return the clicks and the box of a prompt in pixels of what is kept."""
        points = all_points(prompt)[-MAX_POINTS:]
        box = None
        if prompt.box is not None:
            corners = (prompt.box.left, prompt.box.top), (prompt.box.right, prompt.box.bottom)
            box = [edge for corner in corners for edge in self._place(*corner)]
        return SeedGroups(
            [self._place(point.x, point.y) for point in points if point.is_positive],
            [self._place(point.x, point.y) for point in points if not point.is_positive],
            box,
        )

    def _place(self, x: float, y: float) -> tuple[float, float]:
        (width, height), (most_x, most_y) = self.size, self.scaled
        return (
            min(max(x * most_x / width, 0.0), float(most_x)),
            min(max(y * most_y / height, 0.0), float(most_y)),
        )


class StarterModel:
    """See `PromptableModel`. All clicks together give a mask: those before need not be known."""

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        """Return the image without its noise."""
        size = ImageSize(image.shape[1], image.shape[0])
        # A copy: OpenCV fills no image that is read-only, even where it only reads.
        smoothed = smooth(np.array(StarterFrame(size).scale(image)))
        return Embedding({SMOOTHED: smoothed}, size)

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        frame, smoothed = StarterFrame(embedding.size), embedding.arrays[SMOOTHED]
        found = []
        for prompt in prompts:
            seeds = frame.place(prompt)
            mask = grow_mask(smoothed, seeds, SEED_TOLERANCE)
            strict = grow_mask(smoothed, seeds, STRICT_TOLERANCE)
            found.append(MaskPrediction(frame.restore(mask), _logits(mask), _iou(mask, strict)))
        return found

    def describe_engine(self) -> str:
        return "OpenCV"


def _iou(mask: Region, strict: Region) -> float:
    """Return how alike masks are: an edge that does not depend on the tolerance is a sure one."""
    return float((mask & strict).sum() / max(1, (mask | strict).sum()))


def _logits(mask: Region) -> Floats:
    """Return a mask as other models give theirs: how much of each pixel it covers, -1 to 1."""
    height, width = mask.shape
    gain = min(1.0, LOGITS_SIDE / max(height, width))
    size = (max(1, round(width * gain)), max(1, round(height * gain)))
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(2 * covered - 1, np.float32)

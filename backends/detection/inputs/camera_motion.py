"""What a moving camera does to the picture, told by what is behind the objects."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.media.image import Image

# Longer side, in pixels, of the pictures that are compared.
SIDE = 480
CORNERS = 400
# Corners that must be found again; a plain ground has fewer, and then nothing is said.
FEWEST = 20

Affine = NDArray[np.float64]
Boxes = NDArray[np.float32]
STILL: Affine = np.eye(2, 3)


def small(image: Image) -> tuple[NDArray[np.uint8], float]:
    """The image as it is compared, gray, and how many of its pixels one of them stands for."""
    import cv2

    scale = max(1.0, max(image.size) / SIDE)
    gray: Any = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    if scale > 1:
        size = round(image.size.width / scale), round(image.size.height / scale)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return gray, scale


@dataclass
class Motion:
    """The camera's motion from picture to picture, as sparse optical flow tells it.

    Ultralytics' trackers look for it everywhere: where the ground is plain, they take the
    objects' own motion for the camera's, and lose those that are hidden for a while.
    """

    _before: tuple[Any, Any] | None = field(default=None, init=False)

    def moved(self, gray: NDArray[np.uint8], scale: float, boxes: Iterable[Boxes]) -> Affine:
        """The map from the picture before to this one, of shape (2, 3), in pixels of the video.

        `boxes`, arrays of shape (n, 4), are those of the objects in this one, likewise.
        """
        import cv2

        ground = np.full(gray.shape, 255, np.uint8)
        for left, top, right, bottom in (np.concatenate([*boxes]) / scale).tolist():
            ground[int(top) : int(bottom) + 2, int(left) : int(right) + 2] = 0
        before = self._before
        self._before = gray, cv2.goodFeaturesToTrack(gray, CORNERS, 0.01, 4, mask=ground)
        if before is None or before[1] is None or before[0].shape != gray.shape:
            return STILL
        points, state, _ = cv2.calcOpticalFlowPyrLK(before[0], gray, before[1], None)
        again = state.ravel() == 1
        if again.sum() < FEWEST:
            return STILL
        found, _ = cv2.estimateAffinePartial2D(before[1][again], points[again])
        if found is None:
            return STILL
        found[:, 2] *= scale
        return np.array(found, np.float64)

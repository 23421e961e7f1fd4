"""Estimates how the camera moves between frames, from the background behind the objects."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.media.image import Image

# Longer side of the gray images that are compared, in pixels.
COMPARED_SIDE = 480
# Corners that are looked for on the background.
MAX_CORNERS = 400
# Corners that must be matched for an estimate. A plain background has fewer, and then the few
# that match say more about an object than about the camera.
MIN_MATCHED_CORNERS = 20

Affine = NDArray[np.float64]
Boxes = NDArray[np.float32]
NO_MOTION: Affine = np.eye(2, 3)


class GrayImage(NamedTuple):
    """A frame as it is compared, and the factor by which it was shrunk."""

    pixels: NDArray[np.uint8]
    scale: float


def shrink_to_gray(image: Image) -> GrayImage:
    """Return a frame as it is compared."""
    import cv2

    scale = max(1.0, max(image.size) / COMPARED_SIDE)
    gray: Any = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    if scale > 1:
        size = round(image.size.width / scale), round(image.size.height / scale)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return GrayImage(gray, scale)


@dataclass
class CameraMotion:
    """Follows the camera from frame to frame by sparse optical flow.

    Ultralytics' trackers search the whole frame for corners. Where the background is plain, they
    take the motion of the objects for that of the camera, and then lose objects that are hidden
    for a while. So corners inside the detected boxes are left out here.
    """

    _previous: tuple[Any, Any] | None = field(default=None, init=False)

    def estimate(self, frame: GrayImage, boxes: Iterable[Boxes]) -> Affine:
        """Return the map (2, 3) from the previous frame to this one, in pixels of the video.

        `boxes` are arrays (n, 4) of the objects in this frame, in pixels of the video.
        """
        import cv2

        gray, scale = frame
        background = np.full(gray.shape, 255, np.uint8)
        for left, top, right, bottom in (np.concatenate([*boxes]) / scale).tolist():
            background[int(top) : int(bottom) + 2, int(left) : int(right) + 2] = 0
        previous = self._previous
        corners = cv2.goodFeaturesToTrack(gray, MAX_CORNERS, 0.01, 4, mask=background)
        self._previous = gray, corners
        if previous is None or previous[1] is None or previous[0].shape != gray.shape:
            return NO_MOTION
        matches, state, _ = cv2.calcOpticalFlowPyrLK(previous[0], gray, previous[1], None)
        matched = state.ravel() == 1
        if matched.sum() < MIN_MATCHED_CORNERS:
            return NO_MOTION
        motion, _ = cv2.estimateAffinePartial2D(previous[1][matched], matches[matched])
        if motion is None:
            return NO_MOTION
        motion[:, 2] *= scale
        return np.array(motion, np.float64)


class MotionEstimates:
    """Estimates the camera's motion in a thread, while the networks run on the next frames."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool, self._camera = pool, CameraMotion()
        self._estimates: list[Affine] = []
        self._pending: list[Future[Affine]] = []

    def add_frames(self, frames: Iterable[tuple[GrayImage, Sequence[Boxes]]]) -> None:
        """Queue frames with the boxes on each; wait for those before, so that few are in memory."""
        self._estimates += [future.result() for future in self._pending]
        self._pending = [
            self._pool.submit(self._camera.estimate, frame, boxes) for frame, boxes in frames
        ]

    def wait_for_all(self) -> Affine | None:
        """Return the motion to each frame, as an array (m, 2, 3); None if no frame was added."""
        self.add_frames(())
        return np.stack(self._estimates) if self._estimates else None

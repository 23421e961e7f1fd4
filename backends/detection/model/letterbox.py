"""The image as a network takes it, and the way back from its pixels to the image's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from backends.detection.model.architecture import NetworkSpec
from shared.media.image import Pixels
from shared.results import ImageSize

Floats = NDArray[np.float32]

# The border's, with which networks are trained.
GRAY = 114


@dataclass(frozen=True)
class Letterbox:
    """Where an image of `size` lies in a network's input of `width` and `height`.

    It is scaled to `across` and `down` pixels, at `left` and `top`; the rest is border.
    """

    size: ImageSize
    width: int
    height: int
    across: int
    down: int
    left: int
    top: int

    @classmethod
    def around(cls, size: ImageSize, side: int, stride: int) -> "Letterbox":
        """The least multiples of `stride` that hold the image, its longer side scaled to `side`.

        Rounded as Ultralytics does it (`LetterBox`), so that the networks see the same.
        """
        gain = min(side / size.height, side / size.width)
        across, down = max(round(size.width * gain), 1), max(round(size.height * gain), 1)
        right, below = (side - across) % stride, (side - down) % stride
        left, top = round(right / 2 - 0.1), round(below / 2 - 0.1)
        return cls(size, across + right, down + below, across, down, left, top)

    @classmethod
    def filled(cls, size: ImageSize, side: int) -> "Letterbox":
        """A square that the image fills, whatever its shape."""
        return cls(size, side, side, side, side, 0, 0)

    def fit(self, pixels: Pixels) -> Pixels:
        """The image in its frame: shape (height, width, 3)."""
        import cv2

        scaled = pixels
        if pixels.shape[:2] != (self.down, self.across):
            scaled = cv2.resize(pixels, (self.across, self.down), interpolation=cv2.INTER_LINEAR)
        if scaled.shape[:2] == (self.height, self.width):
            return scaled
        framed = np.full((self.height, self.width, 3), GRAY, np.uint8)
        framed[self.top : self.top + self.down, self.left : self.left + self.across] = scaled
        return framed

    def boxes(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) of the input, left, top, right, bottom, as boxes of the image, in it."""
        return self.points(boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def points(self, points: Floats) -> Floats:
        """Points (…, 2) of the input as points of the image, in it."""
        moved = (points - self._corner()) / self._gains()
        return np.clip(moved, 0, np.array(self.size, np.float32))

    def turned(self, boxes: Floats) -> Floats:
        """Oriented boxes (n, 5): centre, width, height, turn."""
        moved = boxes.copy()
        moved[:, :2] = (boxes[:, :2] - self._corner()) / self._gains()
        moved[:, 2:4] = boxes[:, 2:4] / self._gains()
        return moved

    def content(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Where the image is on a map of the input: left, top, right, bottom in its pixels."""
        x, y = width / self.width, height / self.height
        right, bottom = self.left + self.across, self.top + self.down
        return self.left * x, self.top * y, right * x, bottom * y

    def _corner(self) -> Floats:
        return np.array((self.left, self.top), np.float32)

    def _gains(self) -> Floats:
        gains = (self.across / self.size.width, self.down / self.size.height)
        return np.array(gains, np.float32)


@dataclass(frozen=True)
class CenterCrop:
    """The square in the middle of an image of `size`, as classifying networks take it."""

    size: ImageSize
    side: int

    @property
    def width(self) -> int:
        """Of the input."""
        return self.side

    height = width

    def fit(self, pixels: Pixels) -> Pixels:
        """The square: scaled and cut as torchvision does it, of shape (side, side, 3)."""
        short = min(self.size)
        across, down = (int(self.side * length / short) for length in self.size)
        scaled = Pillow.fromarray(pixels).resize((across, down), Pillow.Resampling.BILINEAR)
        left, top = round((across - self.side) / 2), round((down - self.side) / 2)
        return np.asarray(scaled.crop((left, top, left + self.side, top + self.side)))


def frame_of(kind: NetworkSpec, size: ImageSize) -> Letterbox | CenterCrop:
    """What a network of this kind sees of an image."""
    if kind.task == "classify":
        return CenterCrop(size, kind.side)
    if kind.stretches:
        return Letterbox.filled(size, kind.side)
    return Letterbox.around(size, kind.side, kind.stride)

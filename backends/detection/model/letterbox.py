"""An image as a network's input, and the way back from input pixels to image pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from backends.detection.model.architecture import NetworkSpec
from shared.media.image import Pixels
from shared.results import ImageSize

Floats = NDArray[np.float32]

# Level of the border's gray, with which Ultralytics trains its networks.
BORDER_GRAY = 114


@dataclass(frozen=True)
class Letterbox:
    """Where an image of `image_size` lies in a network's input of `width` and `height` pixels.

    It is scaled to `scaled_width` and `scaled_height` at `left` and `top`; the rest is border.
    """

    image_size: ImageSize
    width: int
    height: int
    scaled_width: int
    scaled_height: int
    left: int
    top: int

    @classmethod
    def fit_longer_side(cls, image_size: ImageSize, side: int, stride: int) -> "Letterbox":
        """Scale the longer side to `side`, with the least border up to multiples of `stride`.

        Rounded exactly as Ultralytics' `LetterBox` does it, so that networks see the same pixels.
        """
        gain = min(side / image_size.height, side / image_size.width)
        scaled_width = max(round(image_size.width * gain), 1)
        scaled_height = max(round(image_size.height * gain), 1)
        x_border, y_border = (side - scaled_width) % stride, (side - scaled_height) % stride
        return cls(
            image_size,
            scaled_width + x_border,
            scaled_height + y_border,
            scaled_width,
            scaled_height,
            left=round(x_border / 2 - 0.1),
            top=round(y_border / 2 - 0.1),
        )

    @classmethod
    def stretch_to_square(cls, image_size: ImageSize, side: int) -> "Letterbox":
        """Fill a square with the image, whatever its aspect ratio."""
        return cls(image_size, side, side, side, side, 0, 0)

    def apply(self, pixels: Pixels) -> Pixels:
        """Return the image as the network's input, (height, width, 3)."""
        import cv2

        scaled, size = pixels, (self.scaled_width, self.scaled_height)
        if pixels.shape[1::-1] != size:
            scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        if size == (self.width, self.height):
            return scaled
        framed = np.full((self.height, self.width, 3), BORDER_GRAY, np.uint8)
        bottom, right = self.top + self.scaled_height, self.left + self.scaled_width
        framed[self.top : bottom, self.left : right] = scaled
        return framed

    def boxes_to_image(self, boxes: Floats) -> Floats:
        """Map boxes (n, 4), as left, top, right, bottom, to the image and clip them to it."""
        return self.points_to_image(boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def boxes_to_input(self, boxes: Floats) -> Floats:
        """Map boxes (n, 4) of the image, as left, top, right, bottom, to the network's input."""
        mapped = boxes.reshape(-1, 2, 2) * self._scale() + self._offset()
        return np.asarray(mapped.reshape(-1, 4), np.float32)

    def points_to_image(self, points: Floats) -> Floats:
        """Map points (…, 2) to the image and clip them to it."""
        mapped = (points - self._offset()) / self._scale()
        return np.clip(mapped, 0, np.array(self.image_size, np.float32))

    def oriented_boxes_to_image(self, boxes: Floats) -> Floats:
        """Map oriented boxes (n, 5), as centre, width, height, angle, to the image."""
        mapped = boxes.copy()
        mapped[:, :2] = (boxes[:, :2] - self._offset()) / self._scale()
        mapped[:, 2:4] = boxes[:, 2:4] / self._scale()
        return mapped

    def image_area(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return where the image is on a feature map of that size: left, top, right, bottom."""
        x, y = width / self.width, height / self.height
        right, bottom = self.left + self.scaled_width, self.top + self.scaled_height
        return self.left * x, self.top * y, right * x, bottom * y

    def _offset(self) -> Floats:
        return np.array((self.left, self.top), np.float32)

    def _scale(self) -> Floats:
        width, height = self.image_size
        return np.array((self.scaled_width / width, self.scaled_height / height), np.float32)


@dataclass(frozen=True)
class CenterCrop:
    """The square in the middle of an image of `image_size`, which is a classifier's input."""

    image_size: ImageSize
    side: int

    @property
    def width(self) -> int:
        """The width of the input, in pixels."""
        return self.side

    height = width

    def apply(self, pixels: Pixels) -> Pixels:
        """Return the square (side, side, 3), scaled and cropped as torchvision does it."""
        shorter = min(self.image_size)
        width, height = (int(self.side * length / shorter) for length in self.image_size)
        scaled = Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BILINEAR)
        left, top = round((width - self.side) / 2), round((height - self.side) / 2)
        return np.asarray(scaled.crop((left, top, left + self.side, top + self.side)))


def frame_for(spec: NetworkSpec, image_size: ImageSize) -> Letterbox | CenterCrop:
    """Return which part of an image a network sees, and at which scale."""
    if spec.task == "classify":
        return CenterCrop(image_size, spec.image_size)
    if spec.stretches_image:
        return Letterbox.stretch_to_square(image_size, spec.image_size)
    return Letterbox.fit_longer_side(image_size, spec.image_size, spec.stride)

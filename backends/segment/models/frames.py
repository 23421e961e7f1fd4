"""How an image becomes a network's input, and a network's mask one of the image.

Each library does it in its own way, which is kept here: a mask is to be the library's own.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.media.image import Pixels
from shared.results import ImageSize

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of the colours that a network was trained on, 0 to 255."""

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def apply(self, pixels: Any) -> Any:
        """Return normalized pixels, float32 (height, width, 3)."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (pixels.astype(np.float32) - mean) / std


class Frame(Protocol):
    """The square that a network sees, and where an image is in it."""

    @property
    def side(self) -> int:
        """The length of its sides, in pixels."""

    def prepare(self, pixels: Pixels) -> Floats:
        """Return the network's input for an image, (1, 3, side, side)."""

    def place_points(self, points: Floats, size: ImageSize) -> Floats:
        """Return where points of the image (…, 2) are in the square."""

    def place_mask(self, mask: Floats, side: int) -> Floats:
        """Return a mask of the image (height, width) as one of the square, (side, side)."""

    def restore(self, logits: Floats, size: ImageSize) -> Floats:
        """Return logits of the square (n, h, w) as those of the image (n, height, width)."""


@dataclass(frozen=True)
class StretchedFrame:
    """The image fills the square, whatever its shape: SAM 2 and SAM 3 in transformers."""

    side: int
    colours: Normalization

    def prepare(self, pixels: Pixels) -> Floats:
        return _to_input(self.colours.apply(_resize_smoothly(pixels, self.side, self.side)))

    def place_points(self, points: Floats, size: ImageSize) -> Floats:
        return points * np.array([self.side / size.width, self.side / size.height], np.float32)

    def place_mask(self, mask: Floats, side: int) -> Floats:
        return _shrink(mask, side, side)

    def restore(self, logits: Floats, size: ImageSize) -> Floats:
        return _interpolate(logits, size)


@dataclass(frozen=True)
class PaddedFrame:
    """The image is at the top left, with zeros beside it: SAM and SAM-HQ in transformers."""

    side: int
    colours: Normalization

    def prepare(self, pixels: Pixels) -> Floats:
        height, width = self._scaled(ImageSize(pixels.shape[1], pixels.shape[0]))
        square = np.zeros((self.side, self.side, 3), np.float32)
        square[:height, :width] = self.colours.apply(_resize_smoothly(pixels, height, width))
        return _to_input(square)

    def place_points(self, points: Floats, size: ImageSize) -> Floats:
        height, width = self._scaled(size)
        return points * np.array([width / size.width, height / size.height], np.float32)

    def place_mask(self, mask: Floats, side: int) -> Floats:
        height, width = self._scaled(ImageSize(mask.shape[1], mask.shape[0]))
        return _shrink_to_corner(mask, side, height * side / self.side, width * side / self.side)

    def restore(self, logits: Floats, size: ImageSize) -> Floats:
        height, width = self._scaled(size)
        square = _interpolate(logits, ImageSize(self.side, self.side))
        return _interpolate(np.ascontiguousarray(square[:, :height, :width]), size)

    def _scaled(self, size: ImageSize) -> tuple[int, int]:
        gain = self.side / max(size)
        # The library makes nothing of an image that is thinner than a pixel here.
        return max(int(size.height * gain + 0.5), 1), max(int(size.width * gain + 0.5), 1)


@dataclass(frozen=True)
class GreyPaddedFrame:
    """The image is at the top left, with grey beside it: all of Ultralytics' SAM."""

    side: int
    colours: Normalization
    grey: int = 114

    def prepare(self, pixels: Pixels) -> Floats:
        height, width = self._scaled(ImageSize(pixels.shape[1], pixels.shape[0]))
        square = np.full((self.side, self.side, 3), self.grey, np.uint8)
        square[:height, :width] = cv2.resize(
            pixels, (width, height), interpolation=cv2.INTER_LINEAR
        )
        return _to_input(self.colours.apply(square))

    def place_points(self, points: Floats, size: ImageSize) -> Floats:
        return points * np.float32(self.side / max(size))

    def place_mask(self, mask: Floats, side: int) -> Floats:
        gain = side / max(mask.shape)
        return _shrink_to_corner(mask, side, mask.shape[0] * gain, mask.shape[1] * gain)

    def restore(self, logits: Floats, size: ImageSize) -> Floats:
        """Sample exactly the part that the image fills, which may end within a pixel."""
        import torch
        from torch.nn import functional

        height, width = self._scaled(size)
        parts = [width / self.side, height / self.side]
        rows, columns = (logits.shape[1] * parts[1], logits.shape[2] * parts[0])
        maps = torch.from_numpy(np.ascontiguousarray(logits))[:, None]
        if rows.is_integer() and columns.is_integer():
            return _interpolate(logits[:, : int(rows), : int(columns)], size)
        theta = torch.tensor(
            [[[parts[0], 0, parts[0] - 1], [0, parts[1], parts[1] - 1]]], dtype=torch.float32
        )
        grid = functional.affine_grid(theta, [1, 1, size.height, size.width], align_corners=False)
        sampled = functional.grid_sample(
            maps.transpose(0, 1), grid, padding_mode="border", align_corners=False
        )
        return np.asarray(sampled[0].numpy())

    def _scaled(self, size: ImageSize) -> tuple[int, int]:
        gain = self.side / max(size)
        return max(round(size.height * gain), 1), max(round(size.width * gain), 1)


def _to_input(pixels: Any) -> Floats:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def _resize_smoothly(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize with antialiasing, as torchvision does it, which transformers uses."""
    import torch
    from torchvision.transforms.v2 import functional

    planes = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
    return np.asarray(functional.resize(planes, [height, width], antialias=True).permute(1, 2, 0))


def _interpolate(logits: Floats, size: ImageSize) -> Floats:
    """Interpolate as the libraries do.

    By OpenCV: PyTorch's threads would keep the cores busy for milliseconds afterwards, while
    OpenVINO's next call wants them.
    """
    maps = [cv2.resize(one, tuple(size), interpolation=cv2.INTER_LINEAR) for one in logits]
    return np.stack(maps) if len(maps) > 1 else maps[0][None]


def _shrink(mask: Floats, height: int, width: int) -> Floats:
    smaller = height < mask.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (width, height), interpolation=method), np.float32)


def _shrink_to_corner(mask: Floats, side: int, height: float, width: float) -> Floats:
    square = np.zeros((side, side), np.float32)
    rows, columns = max(1, round(height)), max(1, round(width))
    square[:rows, :columns] = _shrink(mask, rows, columns)
    return square

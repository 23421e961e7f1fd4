"""Masks on images, drawn as a brush's strokes (RLE) or as a bitmask (PNG)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.media.image_size import ImageSize
from shared.results import rle
from shared.results.image import Value
from shared.results.percent import image_keys

# shape (height, width), the image's own; inside where it is not 0.
Mask = NDArray[Any]

PNG_DATA_URL = "data:image/png;base64,"


@dataclass(frozen=True, eq=False)
class Brush:
    """A mask for Brush and BrushLabels, of the image's own size."""

    mask: Mask

    def to_value(self, on: ImageSize) -> Value:
        """As `format` and `rle`."""
        return {"format": "rle", "rle": rle.encode(self.mask)}, image_keys(on)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: ImageSize) -> "Brush":
        """From a result's `value`; ValueError if it is no RLE of that size."""
        return cls(rle.decode(value["rle"], on.height, on.width))


@dataclass(frozen=True, eq=False)
class Bitmask:
    """A mask for Bitmask and BitmaskLabels, of the image's own size."""

    mask: Mask

    def to_value(self, on: ImageSize) -> Value:
        """As `imageDataURL`: a PNG, black inside and transparent elsewhere."""
        import cv2

        inside = np.atleast_2d(self.mask) != 0
        pixels = np.zeros((*inside.shape, 4), np.uint8)
        pixels[..., 3] = np.where(inside, 255, 0)
        if not pixels.size:
            return {"imageDataURL": ""}, image_keys(on)
        _, png = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        return {
            "imageDataURL": PNG_DATA_URL + base64.b64encode(png.tobytes()).decode()
        }, image_keys(on)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: ImageSize) -> "Bitmask":
        """From a result's `value`; ValueError if it is no PNG."""
        import cv2

        data = base64.b64decode(value["imageDataURL"].removeprefix(PNG_DATA_URL))
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if pixels is None:
            raise ValueError("The bitmask's imageDataURL is no PNG")
        alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
        return cls(np.where(alpha > 0, 255, 0).astype(np.uint8))


def fitted(mask: Mask, on: ImageSize) -> Mask:
    """A mask scaled to the image's size, for models that answer in a smaller one.

    shape (h, w), values from 0 to 1 or booleans; inside where the scaled value is 0.5 or more.
    """
    import cv2

    scaled = cv2.resize(
        np.asarray(mask, np.float32), (on.width, on.height), interpolation=cv2.INTER_LINEAR
    )
    return np.where(scaled >= 0.5, 255, 0).astype(np.uint8)

"""Masks on images, written as brush strokes (RLE) or as a bitmask (PNG)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.media.image_size import ImageSize
from shared.results import rle
from shared.results.percent import image_keys
from shared.results.types import ShapeValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shape (height, width), the image's own; any value but 0 is inside.
Mask: TypeAlias = "NDArray[Any]"

PNG_DATA_URL = "data:image/png;base64,"


@dataclass(frozen=True, eq=False)
class Brush:
    """A mask for Brush and BrushLabels, of the image's own size."""

    mask: Mask

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `format` and `rle`, a list of bytes (see `shared.results.rle`)."""
        return {"format": "rle", "rle": rle.encode(self.mask)}, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Brush":
        """Read the mask, 0 or 255, of a result's `value`; ValueError if it is no RLE of `size`."""
        return cls(rle.decode(value["rle"], size.height, size.width))


@dataclass(frozen=True, eq=False)
class Bitmask:
    """A mask for Bitmask and BitmaskLabels, of the image's own size."""

    mask: Mask

    def to_value(self, size: ImageSize) -> ShapeValue:
        """Return `imageDataURL`: a PNG that is black inside and transparent elsewhere."""
        import cv2
        import numpy as np

        inside = np.atleast_2d(self.mask) != 0
        pixels = np.zeros((*inside.shape, 4), np.uint8)
        pixels[..., 3] = np.where(inside, 255, 0)
        if not pixels.size:
            return {"imageDataURL": ""}, image_keys(size)
        _, png = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        url = PNG_DATA_URL + base64.b64encode(png.tobytes()).decode()
        return {"imageDataURL": url}, image_keys(size)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], size: ImageSize) -> "Bitmask":
        """Read the mask, 0 or 255, of a result's `value`; ValueError if it is no PNG."""
        import cv2
        import numpy as np

        data = base64.b64decode(value["imageDataURL"].removeprefix(PNG_DATA_URL))
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if pixels is None:
            raise ValueError("The bitmask's imageDataURL is not a PNG")
        alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
        return cls(np.where(alpha > 0, 255, 0).astype(np.uint8))

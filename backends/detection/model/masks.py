"""The masks of a segmenting network, each drawn when it is asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.results import ImageSize

Mask = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of n objects, as the network gives them: mixed from c prototypes.

    `coefficients` (n, c) mix `prototypes` (c, h, w), which cover the network's input; `boxes`
    (n, 4) are in pixels of the image. `image_area` is the part of the prototypes that shows the
    image without the letterbox's border: left, top, right, bottom in prototype pixels.

    Drawing a mask at image size is slow, and most objects have too low a score for any label
    config: so a mask is drawn only when a region needs it.
    """

    image_size: ImageSize
    coefficients: NDArray[np.float32]
    prototypes: NDArray[np.float32]
    boxes: NDArray[np.float32]
    image_area: tuple[float, float, float, float]

    def __len__(self) -> int:
        return len(self.coefficients)

    def __getitem__(self, index: int) -> Mask:
        """Draw the mask of an object: (height, width) of the image, 255 inside and 0 elsewhere."""
        import cv2

        mask = np.zeros((self.image_size.height, self.image_size.width), np.uint8)
        left, top, right, bottom = (int(edge) for edge in np.ceil(self.boxes[index]))
        if right <= left or bottom <= top:
            return mask
        count, height, width = self.prototypes.shape
        logits = self.coefficients[index] @ self.prototypes.reshape(count, -1)
        # Only the box is drawn, in one step from prototype to image pixels: scaling the whole mask
        # to the network's input first, and cropping it there, would cost more and round twice.
        scaled = cv2.warpAffine(
            logits.reshape(height, width),
            self._box_to_prototypes(left, top),
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask[top:bottom, left:right] = np.where(scaled > 0, 255, 0)
        return mask

    def _box_to_prototypes(self, left: int, top: int) -> NDArray[np.float64]:
        """Return the map (2, 3) from pixels of a box to prototype pixels, both at their centres."""
        x0, y0, x1, y1 = self.image_area
        x_scale = (x1 - x0) / self.image_size.width
        y_scale = (y1 - y0) / self.image_size.height
        return np.array(
            [
                [x_scale, 0, x0 + (left + 0.5) * x_scale - 0.5],
                [0, y_scale, y0 + (top + 0.5) * y_scale - 0.5],
            ]
        )


@dataclass(frozen=True, eq=False)
class ScaledMasks:
    """The masks of n objects as probabilities (n, h, w) of the pixels of the whole image.

    At the resolution of the network, from which a mask is scaled when it is asked for.
    """

    image_size: ImageSize
    probabilities: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, index: int) -> Mask:
        """Draw the mask of an object: (height, width) of the image, 255 inside and 0 elsewhere."""
        import cv2

        whole = self.probabilities[index].astype(np.float32)
        scaled = cv2.resize(whole, tuple(self.image_size), interpolation=cv2.INTER_LINEAR)
        return np.where(scaled > 0.5, 255, 0).astype(np.uint8)

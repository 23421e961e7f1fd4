"""The masks of a segmenting network, each made when it is asked for."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.results import ImageSize

Mask = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks as a network gives them: mixed from prototypes, in the frame of its input.

    `coefficients` of shape (n, c), `prototypes` (c, h, w), `boxes` (n, 4) in pixels of the
    image of `size`; `content` is the part of the prototypes that shows the image (left, top,
    right, bottom in their pixels), the rest being the border that made it fit. Hundreds of
    weak objects cost nothing until a label config wants them.
    """

    size: ImageSize
    coefficients: NDArray[np.float32]
    prototypes: NDArray[np.float32]
    boxes: NDArray[np.float32]
    content: tuple[float, float, float, float]

    def __len__(self) -> int:
        return len(self.coefficients)

    def ordered(self, order: NDArray[np.intp]) -> "Masks":
        """The same masks in another order."""
        return replace(self, coefficients=self.coefficients[order], boxes=self.boxes[order])

    def __getitem__(self, index: int) -> Mask:
        """The mask of an object, shape (height, width) of the image, 255 inside and 0 elsewhere."""
        import cv2

        mask = np.zeros((self.size.height, self.size.width), np.uint8)
        left, top, right, bottom = (int(edge) for edge in np.ceil(self.boxes[index]))
        if right <= left or bottom <= top:
            return mask
        count, height, width = self.prototypes.shape
        logits = self.coefficients[index] @ self.prototypes.reshape(count, -1)
        part = cv2.warpAffine(
            logits.reshape(height, width),
            self._to_prototypes(left, top),
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask[top:bottom, left:right] = np.where(part > 0, 255, 0)
        return mask

    def _to_prototypes(self, left: int, top: int) -> NDArray[np.float64]:
        """From pixels of the box to pixels of the prototypes, both counted from their centres."""
        x0, y0, x1, y1 = self.content
        across, down = (x1 - x0) / self.size.width, (y1 - y0) / self.size.height
        return np.array(
            [
                [across, 0, x0 + (left + 0.5) * across - 0.5],
                [0, down, y0 + (top + 0.5) * down - 0.5],
            ]
        )

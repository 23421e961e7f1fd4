"""Masks as the events of the editor hold them."""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from backends.segment.prompts import BinaryMask


def encode_mask(mask: BinaryMask) -> Mapping[str, Any]:
    """Return a mask as `imageDataURL`, a grey PNG that is white inside, with its size."""
    height, width = mask.shape
    _, png = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    url = f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}"
    return {"imageDataURL": url, "width": width, "height": height}

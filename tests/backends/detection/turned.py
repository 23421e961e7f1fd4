"""Photos as a rotated camera writes them."""

import io
from typing import Any

from PIL import Image as Pillow

# How an upright picture was transformed, by the EXIF orientation that undoes it.
UNDONE = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}


def turned_jpeg(upright: Any, orientation: int) -> bytes:
    """Return a JPEG whose pixels are rotated, and whose EXIF says how. RGB, uint8."""
    image = Pillow.fromarray(upright)
    image = image.transpose(UNDONE[orientation]) if orientation in UNDONE else image
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", quality=98, subsampling=0, exif=exif)
    return out.getvalue()

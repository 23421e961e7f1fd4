"""Bytes to upright images."""

import hashlib
import io
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError
from PIL.Image import open as open_image  # Ultralytics replaces it by one that installs packages

from shared.errors import DecodeError
from shared.media.image_size import ImageSize
from shared.media.jpeg import Pixels as Pixels
from shared.media.jpeg import decode_jpeg

ALLOWED_FORMATS = {
    "AVIF",
    "BMP",
    "DIB",
    "GIF",
    "HEIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "MPO",
    "PCX",
    "PNG",
}
ALLOWED_FORMATS |= {"PPM", "SGI", "TGA", "TIFF", "WEBP"}
"""Formats that are decoded. Pillow passes others, such as EPS, to programs that execute them."""


@dataclass(frozen=True, eq=False)
class Image:
    """An upright image: `pixels` of shape (height, width, 3), RGB, uint8."""

    pixels: Pixels
    digest: str = ""

    @cached_property
    def size(self) -> ImageSize:
        """The size in pixels."""
        return ImageSize(self.pixels.shape[1], self.pixels.shape[0])


def decode_image(data: bytes, max_megapixels: float, page: int = 0) -> Image:
    """Read an image of any common kind: turned upright by its EXIF orientation, as 8-bit RGB.

    Transparency is laid on white, 16-bit gray is scaled; DecodeError if it cannot be read or
    has more than `max_megapixels`. `page` is that of a file that has several.
    """
    Pillow.MAX_IMAGE_PIXELS = int(max_megapixels * 1e6)  # Pillow refuses by its own limit first
    try:
        with open_image(io.BytesIO(data), formats=readable_formats()) as file:
            if page:
                file.seek(page)
            megapixels = file.width * file.height / 1e6
            if megapixels > max_megapixels:
                raise DecodeError(
                    f"The image has {megapixels:.0f} megapixels ({file.width} × {file.height});"
                    f" MAX_MEGAPIXELS allows {max_megapixels:g}",
                    cause="too_large",
                )
            decoded = None if page else decode_jpeg(data, file)
            if decoded is None:
                decoded = np.asarray(_to_rgb(ImageOps.exif_transpose(file)))
    except DecodeError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise DecodeError(
            f"The image has too many megapixels; MAX_MEGAPIXELS allows {max_megapixels:g}",
            cause="too_large",
        ) from None
    except UnidentifiedImageError:
        raise DecodeError(f"Not a readable image ({looks_like(data)})") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DecodeError(f"The image is damaged: {error}") from None
    return Image(decoded, content_digest(data, page))


def content_digest(data: bytes, page: int = 0) -> str:
    """Return what identifies an image: a hash of its file, and its page if not the first."""
    made = hashlib.blake2b(data, digest_size=16).hexdigest()
    return f"{made}-{page}" if page else made


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats; the first call imports its 40 modules for them."""
    Pillow.init()
    return tuple(name for name in Pillow.ID if name in ALLOWED_FORMATS)


def _to_rgb(image: Pillow.Image) -> Pillow.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _to_eight_bits(image)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Pillow.new("RGBA", rgba.size, "white")
        return Pillow.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_eight_bits(image: Pillow.Image) -> Pillow.Image:
    """Scale 16-bit and float gray to 8 bits: by the 16-bit range, or else the image's own."""
    values = np.asarray(image, dtype=np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    gray = np.clip((values - low) * (255.0 / max(high - low, 1e-9)), 0, 255).astype(np.uint8)
    return Pillow.fromarray(gray).convert("RGB")


def looks_like(data: bytes) -> str:
    """Describe bytes that are not of the expected format."""
    if not data:
        return "it is empty"
    if b"%PDF-" in data[:1024]:
        return "it is a PDF, of which a browser shows nothing here: `prelabel pages` makes images"
    if data.lstrip()[:1] in {b"<", b"{"}:
        return "it looks like a web page or JSON, perhaps a log-in page: check the token"
    return f"{len(data)} bytes"

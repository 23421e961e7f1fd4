import io
import random
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from shared.errors import DecodeError
from shared.media.image import Image, decode_image
from shared.media.jpeg import decode_jpeg

# 4 wide, 2 high, every pixel another colour
UPRIGHT = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
Turn = Pillow.Transpose
STORED = {
    1: None,
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_90,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_270,
}
"""What a camera held so does to the upright picture, by its EXIF orientation."""


def encoded(image: Pillow.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int) -> tuple[Pillow.Image, Pillow.Exif]:
    image, method = Pillow.fromarray(UPRIGHT), STORED[orientation]
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    return image if method is None else image.transpose(method), exif


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
def test_every_orientation_is_turned_upright(orientation: int, kind: str) -> None:
    image, exif = turned(orientation)
    options = {"lossless": True} if kind == "WebP" else {}
    found = decode_image(encoded(image, kind, exif=exif, **options), 1)
    assert found.size == (4, 2)
    assert np.array_equal(found.pixels, UPRIGHT)


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_a_photo(orientation: int) -> None:
    image, exif = turned(orientation)
    data = encoded(image.resize((image.width * 16, image.height * 16), 0), "JPEG", exif=exif)
    found = decode_image(data, 1)
    assert found.size == (64, 32)
    assert np.abs(found.pixels[8::16, 8::16].astype(int) - UPRIGHT).max() < 24


def photo(seed: int, mode: str = "RGB") -> Pillow.Image:
    """What a JPEG keeps: smooth colours, at a size of no whole blocks."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Pillow.fromarray(coarse).resize((203, 117), Pillow.Resampling.BICUBIC).convert(mode)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        pytest.param("RGB", {}, id="halved-colours"),
        pytest.param("RGB", {"subsampling": 0, "quality": 95}, id="full-colours"),
        pytest.param("RGB", {"subsampling": 1, "quality": 40}, id="colours-halved-across"),
        pytest.param("RGB", {"progressive": True}, id="progressive"),
        pytest.param("RGB", {"keep_rgb": True}, id="stored-as-rgb"),
        pytest.param("L", {}, id="gray"),
        pytest.param("CMYK", {}, id="cmyk"),
    ],
)
@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_has_pillows_pixels(mode: str, options: dict[str, Any], orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = encoded(photo(orientation, mode), "JPEG", exif=exif, **options)
    expected = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(decode_image(data, 1).pixels, np.asarray(expected))


@pytest.mark.parametrize("behind", [b"", b"\0" * 20], ids=["", "bytes behind its end"])
def test_opencv_decodes_a_whole_photo(behind: bytes) -> None:
    data = encoded(photo(1), "JPEG") + behind
    with Pillow.open(io.BytesIO(data)) as file:
        assert decode_jpeg(data, file) is not None
    with Pillow.open(io.BytesIO(data)) as file:
        assert decode_jpeg(data[: len(data) // 2], file) is None


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(
        decode_image(encoded(Pillow.fromarray(UPRIGHT), exif=exif), 1).pixels, UPRIGHT
    )


def gray16(*values: int) -> Pillow.Image:
    return Pillow.fromarray(np.array([values], dtype=np.uint16))


def palette(transparent: bool) -> bytes:
    image = Pillow.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return encoded(image, transparency=1) if transparent else encoded(image)


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        pytest.param(encoded(Pillow.new("RGB", (1, 1), (1, 2, 3))), (1, 2, 3), id="rgb"),
        pytest.param(encoded(Pillow.new("L", (1, 1), 77)), (77, 77, 77), id="gray"),
        pytest.param(encoded(Pillow.new("1", (1, 1), 1)), (255, 255, 255), id="black-and-white"),
        pytest.param(encoded(Pillow.new("RGBA", (1, 1), (1, 2, 3, 255))), (1, 2, 3), id="opaque"),
        pytest.param(encoded(Pillow.new("RGBA", (1, 1), (9, 9, 9, 0))), (255,) * 3, id="clear"),
        pytest.param(encoded(Pillow.new("RGBA", (1, 1), (0, 0, 0, 51))), (204,) * 3, id="misty"),
        pytest.param(encoded(Pillow.new("LA", (1, 1), (0, 0))), (255,) * 3, id="gray-clear"),
        pytest.param(encoded(Pillow.new("LA", (1, 1), (40, 255))), (40,) * 3, id="gray-opaque"),
        pytest.param(palette(transparent=False), (10, 20, 30), id="palette"),
        pytest.param(palette(transparent=True), (255,) * 3, id="palette-clear"),
        pytest.param(
            encoded(Pillow.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3)),
            (255,) * 3,
            id="rgb-with-a-clear-colour",
        ),
        pytest.param(
            encoded(Pillow.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), id="cmyk"
        ),
        pytest.param(
            encoded(Pillow.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG", quality=100),
            (0, 0, 0),
            id="cmyk-photo",
        ),
        pytest.param(
            encoded(Pillow.new("RGB", (1, 1), (1, 2, 3)), "WebP", lossless=True),
            (1, 2, 3),
            id="webp",
        ),
        pytest.param(encoded(Pillow.new("RGB", (1, 1), (1, 2, 3)), "TIFF"), (1, 2, 3), id="tiff"),
        pytest.param(encoded(Pillow.new("RGB", (1, 1), (1, 2, 3)), "BMP"), (1, 2, 3), id="bmp"),
        pytest.param(encoded(Pillow.new("L", (1, 1), 9), "GIF"), (9, 9, 9), id="gif"),
    ],
)
def test_kind_becomes_rgb(data: bytes, pixel: tuple[int, int, int]) -> None:
    found = decode_image(data, 1)
    assert (found.pixels.dtype, found.pixels.ndim) == (np.uint8, 3)
    assert found.pixels[0, 0].tolist() == list(pixel)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(gray16(0, 32768, 65535), [0, 127, 255], id="full"),
        pytest.param(gray16(0, 0, 1000), [0, 0, 3], id="dark"),
        pytest.param(gray16(0, 100, 255), [0, 0, 0], id="as-dark-as-a-browser-shows-it"),
        pytest.param(gray16(7, 7, 7), [0, 0, 0], id="flat"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray(image: Pillow.Image, expected: list[int], kind: str) -> None:
    assert decode_image(encoded(image, kind), 1).pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0.0, 128.0, 255.0], [0, 128, 255], id="0-to-255"),
        pytest.param([-1.0, 0.0, 1.0], [0, 127, 255], id="own-range"),
        pytest.param([300.0, 300.0, 300.0], [0, 0, 0], id="flat"),
        pytest.param([float("nan"), 0.0, 255.0], [0, 0, 255], id="not-a-number"),
        pytest.param([float("inf"), 0.0, 255.0], [255, 0, 255], id="infinite"),
    ],
)
def test_float_gray(values: list[float], expected: list[int]) -> None:
    image = Pillow.fromarray(np.array([values], dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_image(encoded(image, "TIFF"), 1).pixels[0, :, 0].tolist() == expected


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
PHOTO = encoded(Pillow.fromarray(NOISE), "JPEG")
DRAWING = encoded(Pillow.fromarray(NOISE))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "Not a readable image (it is empty)", id="empty"),
        pytest.param(b"hello", "Not a readable image (5 bytes)", id="text"),
        pytest.param(b"\n<!doctype html>", "looks like a web page or JSON", id="web-page"),
        pytest.param(b'{"detail": "no"}', "log-in page: check the token", id="json"),
        pytest.param(PHOTO[: len(PHOTO) // 2], "The image is damaged", id="half-a-photo"),
        pytest.param(DRAWING[: len(DRAWING) // 2], "The image is damaged", id="half-a-drawing"),
        pytest.param(DRAWING[:20], "", id="head-alone"),
        pytest.param(
            encoded(Pillow.new("1", (2000, 1000))),
            "The image has 2 megapixels (2000 × 1000); MAX_MEGAPIXELS allows 1",
            id="too-large",
        ),
        pytest.param(
            encoded(Pillow.new("1", (2001, 1000))),
            "The image has too many megapixels; MAX_MEGAPIXELS allows 1",
            id="a-bomb",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_refused(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_image(data, 1)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "BytesIO" not in str(caught.value)


def test_limit_is_ours_and_not_the_librarys() -> None:
    data = encoded(Pillow.new("1", (20_000, 9_000)))  # Pillow alone refuses from 179 on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DecodeError, match="MAX_MEGAPIXELS allows 100"):
            decode_image(data, 100)
        with pytest.raises(DecodeError, match="MAX_MEGAPIXELS allows 170"):
            decode_image(data, 170)


def test_limit_may_be_reached() -> None:
    assert decode_image(encoded(Pillow.new("1", (1000, 1000))), 1).size == (1000, 1000)


def fuzzed(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.choice([1, 4, 16])):
        changed[chance.randrange(min(len(changed), 400))] = chance.randrange(256)
    return bytes(changed[: chance.choice([len(changed), chance.randrange(len(changed))])])


def with_exif(kind: str) -> bytes:
    image, exif = turned(6)
    return encoded(image, kind, exif=exif)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "TIFF", "GIF", "BMP"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_raise_nothing_but_decode_error(kind: str) -> None:
    data = with_exif(kind)
    for seed in range(300):
        try:
            found = decode_image(fuzzed(data, seed), 1)
        except DecodeError:
            continue
        assert found.pixels.shape[2] == 3


def test_digest_is_of_the_bytes() -> None:
    one, same, other = decode_image(PHOTO, 1), decode_image(PHOTO, 1), decode_image(DRAWING, 1)
    assert one.digest == same.digest != other.digest


def test_size_of_pixels() -> None:
    pixels: NDArray[np.uint8] = np.zeros((3, 5, 3), np.uint8)
    assert Image(pixels).size == (5, 3)

"""Small files and responses that would fill the memory are refused at a bounded cost."""

import base64
import gzip
import io
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow

from shared.errors import DecodeError, FetchError
from shared.media.image import decode_image
from shared.media.reader import MediaReader
from shared.settings import Settings
from tests.media.web import Visit, Web, says, web

PROGRAM = """
import resource, sys
from shared.errors import TaskError
from shared.media.reader import MediaReader
from shared.settings import Settings

media = MediaReader(Settings(allowed_networks="127.0.0.0/8", max_media_mb=20, max_megapixels=20))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    media.read_image(sys.stdin.read())
    print("read")
except TaskError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def image_error(value: str, max_mb: int) -> str:
    """Return why an image is refused, by a process that may need `max_mb` of memory."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=value, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    message, memory = ran.stdout.splitlines()
    assert int(memory) < max_mb, message
    return message


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


# Images


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, rows: int = 0) -> bytes:
    """Return a gray image that declares this size and has `rows` rows."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(bytes((width + 1) * rows), 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + png_chunk(b"IEND", b"")


def text_bomb(kind: bytes, mb: int) -> bytes:
    packed = zlib.compress(bytes(mb * 1_000_000), 6)
    between = b"a\0\0" if kind == b"zTXt" else b"a\0\1\0\0\0"
    return png_chunk(kind, between + packed)


def profile_bomb(mb: int) -> bytes:
    return png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(mb * 1_000_000), 6))


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def gif(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("P", (1, 1)).save(file, "GIF")
    return b"GIF89a" + struct.pack("<HH", width, height) + file.getvalue()[10:]


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(file, "JPEG")
    encoded = file.getvalue()
    offset = encoded.index(b"\xff\xc0") + 5
    return encoded[:offset] + struct.pack(">HH", height, width) + encoded[offset + 4 :]


def tiff(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("L", (8, 8)).save(file, "TIFF")
    encoded = bytearray(file.getvalue())
    [start] = struct.unpack("<I", encoded[4:8])
    for offset in range(start + 2, start + 2 + 24, 12):
        tag = struct.unpack("<H", encoded[offset : offset + 2])[0]
        if tag in {256, 257}:
            encoded[offset + 2 : offset + 12] = struct.pack(
                "<HII", 4, 1, width if tag == 256 else height
            )
    return bytes(encoded)


def animation() -> bytes:
    """Return an animation with frames of 16 megapixels, of which only the first is read."""
    file = io.BytesIO()
    frames = [Pillow.new("P", (4000, 4000), n) for n in range(4)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], optimize=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: png(20_000, 20_000, rows=20_000), "megapixels", id="png"),
        pytest.param(lambda: png(2**31 - 1, 2**31 - 1), "megapixels", id="png-of-4-exapixels"),
        pytest.param(lambda: png(10, 10, text_bomb(b"zTXt", 300)), "too large", id="png-ztxt"),
        pytest.param(lambda: png(10, 10, text_bomb(b"iTXt", 300)), "too large", id="png-itxt"),
        pytest.param(
            lambda: png(10, 10, *[text_bomb(b"zTXt", 1)] * 400), "", id="png-400-times-ztxt"
        ),
        pytest.param(lambda: png(10, 10, profile_bomb(300)), "", id="png-colour-profile"),
        pytest.param(lambda: bmp(60_000, 60_000), "megapixels", id="bmp"),
        pytest.param(lambda: gif(65_535, 65_535), "megapixels", id="gif"),
        pytest.param(lambda: jpeg(65_500, 65_500), "megapixels", id="jpeg"),
        pytest.param(lambda: tiff(100_000, 100_000), "megapixels", id="tiff"),
        pytest.param(animation, "read", id="gif-of-many-frames"),
    ],
)
def test_image_larger_than_its_file(make: Callable[[], bytes], words: str) -> None:
    """20 megapixels are allowed: 60 MB as RGB, and as much again for applying orientation."""
    data = make()
    assert len(data) < 2_000_000
    assert words in image_error(data_url(data), 220)


def test_postscript_is_not_run(tmp_path: Path) -> None:
    """PostScript is a program; Pillow would hand it to Ghostscript."""
    file = io.BytesIO()
    Pillow.new("RGB", (10, 10)).save(file, "EPS")
    with pytest.raises(DecodeError, match="Not a readable image"):
        decode_image(file.getvalue(), 1)


def test_unreadable_image_installs_nothing() -> None:
    """Ultralytics' own `Image.open` runs `pip install pi-heif` for an unknown format."""
    pytest.importorskip("ultralytics")
    program = """
import PIL.Image
from backends.detection import DetectionBackend
DetectionBackend.import_modules()
from shared.media import image
from shared.errors import DecodeError
from ultralytics.utils.checks import AUTOINSTALL
print(AUTOINSTALL, image.open_image is PIL.Image.open, PIL.Image.open.__module__)
try:
    image.decode_image(b"no image", 1)
except DecodeError as error:
    print(error)
"""
    environment = {key: value for key, value in os.environ.items() if key != "YOLO_AUTOINSTALL"}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert ran.stdout.splitlines()[-2:] == [
        "False False ultralytics.utils.patches",
        "Not a readable image (8 bytes)",
    ], ran.stderr


# Responses


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as server:
        yield server


def make_reader(max_media_mb: float) -> MediaReader:
    return MediaReader(Settings(allowed_networks="127.0.0.0/8", max_media_mb=max_media_mb))


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        pytest.param("gzip", "is over MAX_MEDIA_MB=20", id="gzip-of-300-megabytes"),
        pytest.param("gzip, gzip", "which was not asked for", id="gzip-of-gzip"),
        pytest.param("br", "which was not asked for", id="brotli"),
    ],
)
def test_compressed_response_that_is_too_large(encoding: str, words: str, site: Web) -> None:
    body = bytes(300_000_000)
    for _ in range(encoding.count("gzip")):
        body = gzip.compress(body, 6)
    assert encoding == "br" or len(body) < 500_000
    site.pages["/a"] = says(body[:500_000], Content_Encoding=encoding)
    assert words in image_error(f"{site.url}/a", 80)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"Hi" * 999), "gzip"),
        (gzip.compress(b"Hi" * 499) + gzip.compress(b"Hi" * 500), "x-gzip"),
        (zlib.compress(b"Hi" * 999), "deflate"),
        (zlib.compress(b"Hi" * 999)[2:-4], "Deflate"),
        (b"Hi" * 999, "identity"),
        (b"Hi" * 999, ""),
    ],
    ids=["gzip", "gzip-in-parts", "zlib", "deflate", "identity", "none"],
)
def test_compressed_response_is_read(body: bytes, encoding: str, site: Web) -> None:
    site.pages["/a"] = says(body, Content_Encoding=encoding)
    assert make_reader(1).fetch(f"{site.url}/a") == b"Hi" * 999


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"no gzip", "DecodingError"), (gzip.compress(b"Hi" * 999)[:-9], "DecodingError")],
    ids=["none", "half"],
)
def test_broken_compressed_response(body: bytes, words: str, site: Web) -> None:
    site.pages["/a"] = says(body, Content_Encoding="gzip")
    with pytest.raises(FetchError, match=words):
        make_reader(1).fetch(f"{site.url}/a")


def test_only_supported_encodings_are_requested(site: Web) -> None:
    asked = []

    def page(visit: Visit) -> None:
        asked.append(visit.headers["Accept-Encoding"])
        visit.send(200, b"Hi")

    site.pages["/a"] = page
    make_reader(1).fetch(f"{site.url}/a")
    assert asked == ["gzip, deflate"]


def test_data_url_over_the_limit_is_not_decoded() -> None:
    assert "over MAX_MEDIA_MB=20" in image_error("data:;base64," + "A" * 40_000_000, 80)


# Documents


def tiff_document(count: int) -> bytes:
    """Return a TIFF whose pages of one pixel all share one byte."""
    tags = [(256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, 1)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    size = 2 + len(entries) + 4
    starts = [8 + number * size for number in range(1, count)] + [0]
    page = struct.pack("<H", len(tags)) + entries
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + b"".join(page + struct.pack("<I", offset) for offset in starts)
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", [501, 100_000])
def test_document_with_too_many_pages(count: int) -> None:
    """Pillow by itself would count the pages of the larger one for many minutes."""
    media = MediaReader(Settings())
    with pytest.raises(DecodeError, match=r"more than 500 pages: `prelabel pages` makes"):
        media.read_pages(data_url(tiff_document(count)))


def test_document_with_the_most_pages_allowed() -> None:
    assert len(MediaReader(Settings()).read_pages(data_url(tiff_document(500)))) == 500


def test_pdf_with_too_many_pages() -> None:
    file = io.BytesIO()
    Pillow.new("L", (8, 8)).save(file, "PDF")
    [kids] = re.findall(rb"/Kids \[ (\d+ 0 R) \]", file.getvalue())
    many = file.getvalue().replace(kids + b" ]", (kids + b" ") * 501 + b"]", 1)
    many = many.replace(b"/Count 1", b"/Count 501", 1)
    with pytest.raises(DecodeError, match="more than 500 pages"):
        MediaReader(Settings()).read_pages(data_url(many))

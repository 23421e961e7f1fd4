"""PDF and TIFF as pages, within the caps."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from shared.errors import DecodeError
from shared.media import document
from shared.media.reader import MediaReader
from shared.settings import Settings


def picture(number: int, size: tuple[int, int] = (120, 80)) -> Pillow.Image:
    """White, with a black bar whose height tells the page."""
    image = Pillow.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((0, 0, size[0], 10 * (number + 1)), fill="black")
    return image


def file(kind: str, count: int = 3, **options: object) -> bytes:
    made = io.BytesIO()
    first, *more = [picture(n) for n in range(count)]
    first.save(made, kind, save_all=True, append_images=more, **options)
    return made.getvalue()


def bars(pages: object) -> list[int]:
    """The heights of the bars, in tenths of the page's height of 80."""
    return [round(float((p.pixels[:, 5, 0] < 128).mean()) * 8) for p in pages]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_pages_come_in_order(kind: str) -> None:
    data = file(kind)
    assert document.page_count(data) == 3
    found = list(document.decode_pages(data, 100))
    assert bars(found) == [1, 2, 3]
    assert len({page.digest for page in found}) == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_another_image_is_one_page(kind: str) -> None:
    made = io.BytesIO()
    picture(0).save(made, kind)
    assert bars(document.decode_pages(made.getvalue(), 100)) == [1]


def test_resolution_of_a_pdf() -> None:
    data = file("PDF", 1, resolution=72)
    sizes = [next(document.decode_pages(data, most, dpi)).size for most, dpi in ((1, 72), (1, 144))]
    assert [tuple(size) for size in sizes] == [(120, 80), (240, 160)]
    [small] = document.decode_pages(data, 0.0024, 144)
    assert small.size.width * small.size.height <= 2400, "drawn smaller, not refused"


def test_each_page_of_a_tiff_is_capped_and_turned_upright() -> None:
    with pytest.raises(DecodeError, match=r"MAX_MEGAPIXELS allows 0\.005"):
        list(document.decode_pages(file("TIFF"), 0.005))
    made = io.BytesIO()
    lying = [picture(n).rotate(90, expand=True) for n in (1, 2)]
    lying[0].save(made, "TIFF", save_all=True, append_images=lying[1:], tiffinfo={0x0112: 6})
    assert bars(document.decode_pages(made.getvalue(), 1)) == [2, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.4 and no more", "The PDF cannot be opened"),
        (file("TIFF")[:60], "damaged"),
        (b"", "it is empty"),
    ],
    ids=["pdf", "tiff", "empty"],
)
def test_what_is_damaged_says_so(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        list(document.decode_pages(data, 100))


@pytest.fixture
def media(tmp_path: Path) -> Callable[..., MediaReader]:
    return lambda **options: MediaReader(Settings(local_files_root=tmp_path, **options))


def test_all_pages_together_are_capped(media: Callable[..., MediaReader], tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(file("TIFF", 3))
    address = "/data/local-files/?d=a.tif"
    assert bars(media(max_megapixels=0.02).read_pages(address)) == [1, 2, 3]
    with pytest.raises(DecodeError, match=r"first 3 pages have over 2 times MAX_MEGAPIXELS=0\.01"):
        media(max_megapixels=0.01).read_pages(address)


def test_a_pdf_in_the_place_of_one_image_says_what_to_do(
    media: Callable[..., MediaReader], tmp_path: Path
) -> None:
    (tmp_path / "a.pdf").write_bytes(file("PDF"))
    with pytest.raises(DecodeError, match=r"it is a PDF.*`prelabel pages` makes images"):
        media().read_image("/data/local-files/?d=a.pdf")


def test_a_large_page_is_drawn_no_larger_than_allowed() -> None:
    data = file("PDF", 1, resolution=1)  # 120 × 80 inches
    [page] = document.decode_pages(data, 2)
    assert page.size.width * page.size.height <= 2e6
    assert np.ptp(page.pixels) > 200

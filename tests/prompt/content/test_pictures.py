"""Pictures as a model gets them: upright, scaled, each by itself."""

import io
import os
import resource
from pathlib import Path

import pytest
from PIL import Image as Pillow

from backends.prompt.content import SentPicture, SentPictures
from backends.prompt.content.pictures import scaled_size
from shared.backend import DecodeError, UnfillableError
from shared.media.image_size import ImageSize
from tests.prompt.content.shown import (
    data_url,
    encoded,
    encoded_file,
    opened,
    pictures,
    read,
    texts,
)

IMAGE = '<Image name="img" value="$v"/><Rating name="r" toName="img"/>'
LIST = '<Image name="img" valueList="$v"/><Rating name="r" toName="img"/>'


def half_red(size: tuple[int, int] = (80, 40)) -> Pillow.Image:
    """White, its left half red."""
    picture = Pillow.new("RGB", size, "white")
    picture.paste((220, 0, 0), (0, 0, size[0] // 2, size[1]))
    return picture


@pytest.mark.parametrize(
    ("orientation", "size", "red", "white"),
    [
        (1, (80, 40), (10, 20), (70, 20)),
        (3, (80, 40), (70, 20), (10, 20)),
        (6, (40, 80), (20, 10), (20, 70)),
        (8, (40, 80), (20, 70), (20, 10)),
    ],
    ids=["upright", "half turn", "to the right", "to the left"],
)
def test_pictures_are_upright(
    orientation: int, size: tuple[int, int], red: tuple[int, int], white: tuple[int, int]
) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    content = read(IMAGE, {"v": encoded(half_red(), "JPEG", exif=exif, quality=95)})
    [part] = pictures(content)
    assert (part.media_type, part.size, part.original_size) == ("image/jpeg", size, size)
    shown = opened(part)
    assert shown.size == size
    assert shown.getpixel(red)[1] < 60 < 200 < shown.getpixel(white)[1]  # type: ignore[index]
    assert content.sources["img"] == SentPictures(
        (SentPicture(None, ImageSize(*size), ImageSize(*size)),)
    )


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((100, 100), 10_000, (100, 100)),
        ((4000, 3000), 120_000, (400, 300)),
        ((3000, 4000), 120_000, (300, 400)),
        ((100_000, 1), 10_000, (31_622, 1)),
        ((1, 1), 1, (1, 1)),
    ],
    ids=["fits", "wide", "high", "a line", "a pixel"],
)
def test_scaled_sizes(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert scaled_size(ImageSize(*size), most) == expected


def test_large_pictures_are_scaled() -> None:
    content = read(IMAGE, {"v": encoded(half_red((1600, 800)))}, image_pixels=20_000)
    [part] = pictures(content)
    assert (part.size, part.original_size) == ((200, 100), (1600, 800))
    assert opened(part).size == (200, 100)


def test_a_list_of_pictures() -> None:
    files = [encoded(half_red((40 + n, 20))) for n in range(4)]
    content = read(LIST, {"v": files}, pictures=3)
    assert [(part.item_index, part.size.width) for part in pictures(content)] == [
        (0, 40), (1, 41), (2, 42),
    ]  # fmt: skip
    assert texts(content) == ["(The other pictures are not shown.)"]
    assert content.omitted == ('Image "img": the first 3 pictures are read (PROMPT_MAX_PICTURES)',)
    assert [sent.item_index for sent in content.sources["img"].pictures] == [0, 1, 2]
    assert not read(LIST, {"v": files}).omitted


def test_the_pages_of_a_tiff_in_place_of_a_list() -> None:
    made = io.BytesIO()
    pages = [half_red((30 + n, 20)) for n in range(3)]
    pages[0].save(made, "TIFF", save_all=True, append_images=pages[1:])
    content = read(LIST, {"v": [encoded(Pillow.open(made), "TIFF", save_all=True)]})
    assert [(part.item_index, part.size.width) for part in pictures(content)] == [
        (0, 30), (1, 31), (2, 32),
    ]  # fmt: skip


def test_a_hundred_megapixels() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = encoded(Pillow.new("1", (10_000, 10_000)), "PNG", compress_level=1)
    [part] = pictures(read(IMAGE, {"v": file}))
    assert part.original_size == (10_000, 10_000)
    assert part.size.width * part.size.height <= 1_500_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1_200_000, f"{grown / 1000:.0f} MB for a picture of 300 MB"


@pytest.mark.parametrize(
    ("value", "settings", "words"),
    [
        ("data:image/png;base64,aGVsbG8=", {}, "Not a readable image"),
        (encoded(Pillow.new("L", (300, 300))), {"max_megapixels": 0.01}, "MAX_MEGAPIXELS"),
        (data_url(encoded_file(half_red((400, 400)))[:300], "image/png"), {}, "damaged"),
    ],
    ids=["no picture", "too large", "cut off"],
)
def test_broken_pictures(value: str, settings: dict[str, float], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        read(IMAGE, {"v": value}, settings)


def test_a_model_without_eyes() -> None:
    with pytest.raises(UnfillableError, match="PROMPT_MODALITIES=audio,text"):
        read(IMAGE, {"v": encoded(half_red())}, modalities=frozenset({"text", "audio"}))
    extra = '<Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices>'
    only_text = read(
        f'<Image name="img" value="$v"/>{extra}',
        {"v": encoded(half_red()), "t": "x"},
        modalities=frozenset({"text"}),
    )
    assert texts(only_text) == ["x"]
    assert only_text.omitted[0].startswith('Image "img" is left out')


def test_files_of_a_local_storage(tmp_path: Path) -> None:
    half_red().save(tmp_path / "a.png")
    content = read(
        IMAGE, {"v": "/data/local-files/?d=a.png"}, {"local_files_root": os.fspath(tmp_path)}
    )
    assert pictures(content)[0].size == (80, 40)

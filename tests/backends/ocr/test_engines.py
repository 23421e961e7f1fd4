"""The engines: how well they read, and their errors where a language is missing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from backends.ocr.backend import OcrBackend
from backends.ocr.engines.base import OcrEngine
from backends.ocr.engines.rapidocr import RapidOcrEngine
from backends.ocr.layout.granularity import join_text
from backends.ocr.layout.page import Line, Page, Word
from backends.ocr.layout.quad import stretch_contrast
from shared.backend.claim import ModelSpec
from shared.errors import ConfigError, ModelError
from shared.media.image import Image
from tests.backends.ocr.accuracy import CLEAN, HARD, Score, distance, measure, score
from tests.backends.ocr.conftest import LoadRapid
from tests.backends.ocr.drawing import font, page
from tests.backends.ocr.photos import receipt, sign

CHINESE = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed (tesseract-ocr)"
)


@pytest.fixture(scope="module")
def rapid(load_rapid: LoadRapid) -> OcrEngine:
    return load_rapid("auto", "", ())


def load(model: str, **options: str) -> OcrEngine:
    engine: OcrEngine = OcrBackend().load(ModelSpec("ocr", model, tuple(options.items())))
    return engine


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("a\nb", "a b", 1)],
)
def test_edit_distance(one: str, other: str, steps: int) -> None:
    assert distance(one, other) == distance(other, one) == steps


def test_score_counts_misplaced_words_and_wrong_text() -> None:
    class Wrong(OcrEngine):
        def read(self, image: Image) -> Page:
            corners = [[0.0, 0], [40, 0], [40, 20], [0, 20]]
            return Page(image.size, [Line(corners, "x", 1, [Word(corners, "x", 1)])])

    wrong = score(Wrong(), page(1, lines=2))
    assert wrong.error_rate > 0.9
    assert wrong.recall == 0


PAGES = {"clean": CLEAN, "hard": HARD}


@pytest.fixture(scope="module")
def scores(rapid: OcrEngine) -> dict[str, Score]:
    return {kind: measure(rapid, pages) for kind, pages in PAGES.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "errors", "recall"), [("clean", 0.02, 0.95), ("hard", 0.05, 0.9)])
def test_errors_and_word_boxes(
    scores: dict[str, Score], kind: str, errors: float, recall: float
) -> None:
    assert scores[kind].error_rate <= errors
    assert scores[kind].recall >= recall


@pytest.mark.slow
@needs_tesseract
@pytest.mark.parametrize("kind", PAGES)
def test_rapidocr_is_never_worse_than_tesseract(scores: dict[str, Score], kind: str) -> None:
    other = measure(load("tesseract", lang="eng"), PAGES[kind])
    assert scores[kind].errors <= other.errors
    assert scores[kind].found >= other.found
    if kind == "clean":
        assert other.error_rate <= 0.02


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.usefixtures("keep_rapid")
def test_turn_of_a_page_is_reported_in_degrees(rapid: OcrEngine, degrees: int) -> None:
    drawn = page(3, lines=4, degrees=degrees)
    read = rapid.read(Image(np.asarray(drawn.image)))
    assert join_text(read.lines) == "\n".join(drawn.lines)
    backend = OcrBackend(
        label_config='<View><Image name="i" value="$i"/><Rectangle name="r" toName="i"/>'
        '<TextArea name="text" toName="i" perRegion="true"/></View>'
    )
    task = {"id": 1, "data": {"i": drawn.url}}
    [prediction] = backend.predict([task])
    assert isinstance(prediction, dict)
    turns = [r["value"]["rotation"] for r in prediction["result"] if r["type"] == "rectangle"]
    assert turns == pytest.approx([degrees] * 4, abs=1.5)


def test_long_receipt_is_read_in_tiles_and_each_line_once(rapid: OcrEngine) -> None:
    drawn = page(5, lines=60, size=26)
    assert drawn.image.height > 2.5 * drawn.image.width
    read = rapid.read(Image(np.asarray(drawn.image)))
    lines = join_text(read.lines).split("\n")
    assert len(lines) == len(drawn.lines), "each once, those on a seam too"
    assert lines == drawn.lines


def test_spaces_that_the_recognizer_leaves_out_are_inserted(rapid: OcrEngine) -> None:
    """RapidOCR alone reads TRACK7 here, though a space was nearly as likely."""
    from rapidocr import RapidOCR

    photo = np.asarray(sign(1).image)
    alone = RapidOCR(params={"Global.log_level": "error"})(photo[:, :, ::-1])
    assert alone.txts[0] == "TRACK7"
    first, *_ = rapid.read(Image(photo)).lines
    assert first.text == "TRACK 7"
    assert [word.text for word in first.words] == ["TRACK", "7"]
    (left, right) = (np.asarray(word.corners) for word in first.words)
    assert left[:, 0].max() < right[:, 0].min()


def test_faint_page(rapid: OcrEngine) -> None:
    drawn = page(6, lines=4)
    faint = (230 + np.asarray(drawn.image) * (14 / 255)).astype(np.uint8)
    assert np.ptp(stretch_contrast(faint)) > 200
    assert join_text(rapid.read(Image(faint)).lines) == "\n".join(drawn.lines)


@pytest.mark.skipif(not CHINESE.exists(), reason="there is no such font (fonts-wqy-microhei)")
def test_chinese_and_japanese(rapid: OcrEngine) -> None:
    """No space is inserted between their characters, and none is lost beside Latin ones."""
    wanted = ["今日は東京都渋谷区へ行きます", "发票号码：12345678", "混合 Wi-Fi 密码 abc123"]
    image = Pillow.new("RGB", (760, 260), "white")
    for row, text in enumerate(wanted):
        place = (30, 30 + 72 * row)
        ImageDraw.Draw(image).text(place, text, "black", ImageFont.truetype(str(CHINESE), 36))
    assert [line.text for line in rapid.read(Image(np.asarray(image))).lines] == wanted


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_stamp_across_a_receipt(seed: int, rapid: OcrEngine) -> None:
    """The stamp is a line of its own, turned; the receipt's lines are read as without it.

    It hides no character: whether a half hidden one is read differs from CPU to CPU.
    """
    photo = receipt(seed)
    stamp = Pillow.new("RGBA", (260, 80))
    ImageDraw.Draw(stamp).rectangle((2, 2, 257, 77), outline="#b40000", width=4)
    ImageDraw.Draw(stamp).text((50, 18), "PAID", "#b40000", font(44))
    turned = stamp.rotate(30, Pillow.Resampling.BICUBIC, expand=True)
    stamped = photo.image.copy()
    stamped.paste(turned, (250, 440), turned)
    lines = {line.text: line for line in rapid.read(Image(np.asarray(stamped))).lines}
    assert lines.keys() == {text for text, _ in photo.lines} | {"PAID"}
    (x0, y0), (x1, y1) = lines["PAID"].corners[:2]
    assert np.degrees(np.arctan2(y1 - y0, x1 - x0)) == pytest.approx(-30, abs=4)


def test_ruled_table_is_read_row_by_row(rapid: OcrEngine) -> None:
    cells = [["Item", "Pieces", "Price"], ["Lamp", "12", "3.10"], ["Rope", "7", "24.90"]]
    image = Pillow.new("RGB", (760, 260), "white")
    pen = ImageDraw.Draw(image)
    for row, texts in enumerate(cells):
        for column, text in enumerate(texts):
            left, top = 20 + column * 240, 20 + row * 75
            pen.rectangle((left, top, left + 240, top + 75), outline="black", width=2)
            pen.text((left + 20, top + 20), text, "black", font(30))
    lines = rapid.read(Image(np.asarray(image))).lines
    assert [line.text for line in lines] == [text for row in cells for text in row]
    assert join_text(lines).split("\n") == [" ".join(row) for row in cells]


def test_pages_read_in_parallel_equal_pages_read_alone(rapid: OcrEngine) -> None:
    images = [Image(np.asarray(page(20 + seed, lines=2 + seed % 3).image)) for seed in range(6)]
    assert rapid.read_pages(images) == [rapid.read(image) for image in images]


def test_it_says_what_it_runs_on() -> None:
    backend = OcrBackend()
    for engine, expected in (("openvino", {"OpenVINO in f32", "OpenVINO in bf16"}),
                             ("onnx", {"ONNX Runtime"})):  # fmt: skip
        assert backend.describe_engine(RapidOcrEngine(engine)) in expected


@pytest.mark.parametrize("size", [(1, 1), (8, 300), (400, 600)])
def test_blank_page_is_empty(rapid: OcrEngine, size: tuple[int, int]) -> None:
    assert list(rapid.read(Image(np.full((*size, 3), 250, np.uint8))).lines) == []


@needs_tesseract
def test_tesseract_reads_words_in_lines() -> None:
    drawn = page(2, lines=5, size=32)
    lines = list(load("tesseract", lang="eng").read(Image(np.asarray(drawn.image))).lines)
    assert join_text(lines) == "\n".join(drawn.lines)
    assert all(isinstance(line, Line) and len(line.words) >= 2 for line in lines)


@needs_tesseract
def test_tesseract_names_the_missing_pack() -> None:
    with pytest.raises(ModelError, match='OCR_LANG="eng\\+xyz": Tesseract has no "xyz" pack'):
        load("tesseract", lang="eng+xyz")


def test_error_without_tesseract_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelError, match="apt-get install tesseract-ocr"):
        load("tesseract")


def test_rapidocr_names_the_language_it_does_not_read() -> None:
    with pytest.raises(ModelError, match='OCR_LANG="xyz": the weights'):
        load("rapidocr", lang="xyz")


def test_error_of_an_unknown_engine_names_the_tag() -> None:
    area = '<TextArea name="t" toName="i" ocr_engine="abbyy"/>'
    xml = f'<View><Image name="i" value="$i"/>{area}</View>'
    backend = OcrBackend(label_config=xml)
    with pytest.raises(ConfigError, match='TextArea "t": ocr_engine="abbyy" should be one of'):
        backend.claim(backend.config)

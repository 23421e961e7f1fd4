"""EasyOCR's engine reads what EasyOCR reads when it is called directly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.ocr import OcrBackend
from backends.ocr.engines.easyocr import EasyOcrEngine, check_weights, find_weights
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings, changed_environment
from tests.backends.engine_conformance import EngineConformance
from tests.backends.ocr.drawing import page
from tests.backends.ocr.easyocr_weights import publish, save_weights

easyocr = pytest.importorskip("easyocr")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a MODEL_DIR with weights that EasyOCR takes for its own."""
    folder = save_weights(tmp_path_factory.mktemp("easyocr"))
    with pytest.MonkeyPatch.context() as patch:
        publish(folder, patch)
        yield folder


def test_lines_are_those_of_the_library(weights: Path, tmp_path: Path) -> None:
    drawn = page(3, lines=2, size=12).image
    drawn.save(tmp_path / "page.png")
    reader = easyocr.Reader(
        ["en"], gpu=False, model_storage_directory=str(weights), download_enabled=False
    )
    expected = [one for one in reader.readtext(str(tmp_path / "page.png")) if one[1].strip()]
    engine = EasyOcrEngine("en", Settings(model_dir=weights, cache_dir=tmp_path))
    read = engine.read(Image(np.array(drawn)))
    assert len(read.lines) == len(expected) >= 2
    found = sorted((line.text, round(line.score, 4)) for line in read.lines)
    assert found == sorted((text, round(float(score), 4)) for _, text, score in expected)
    places = sorted(tuple(map(tuple, line.corners)) for line in read.lines)
    assert places == sorted(
        tuple((float(x), float(y)) for x, y in corners) for corners, _, _ in expected
    )


def test_files_are_found_in_model_dir_and_below_it(weights: Path, tmp_path: Path) -> None:
    names = [path.name for path in find_weights("en", Settings(model_dir=weights))]
    assert names == ["craft_mlt_25k.pth", "english_g2.pth"]
    (tmp_path / "easyocr").symlink_to(weights)
    settings = Settings(model_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert find_weights("en", settings)[0].parent == tmp_path / "easyocr"


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ("tlh", r"OCR_LANG=tlh: EasyOCR says \{'tlh'\} is not supported"),
        ("ja,ru", r"OCR_LANG=ja,ru: EasyOCR says Japanese is only compatible with English"),
    ],
)
def test_languages_that_it_cannot_read(languages: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        find_weights(languages, Settings(model_dir=tmp_path, cache_dir=tmp_path))


def test_a_file_with_code_is_refused(tmp_path: Path) -> None:
    """EasyOCR would run it."""
    import torch

    class Code:
        def __reduce__(self) -> Any:
            return print, ("run",)

    torch.save({"weights": Code()}, tmp_path / "craft_mlt_25k.pth")
    with pytest.raises(ModelError, match=r"craft_mlt_25k\.pth is not read: it holds more than"):
        check_weights(tmp_path / "craft_mlt_25k.pth")


def test_weights_that_nobody_published_are_refused(weights: Path, tmp_path: Path) -> None:
    import torch

    (tmp_path / "english_g2.pth").symlink_to(weights / "english_g2.pth")
    torch.save({}, tmp_path / "craft_mlt_25k.pth")
    with pytest.raises(ModelError, match=r"not the file that EasyOCR publishes: MD5 mismatch"):
        EasyOcrEngine("en", Settings(model_dir=tmp_path))


def test_the_language_is_english_unless_told() -> None:
    xml = '<View><Image name="i" value="$i"/><TextArea name="text" toName="i"/></View>'
    for language, expected in (("", "en"), ("de,fr", "de,fr")):
        with changed_environment({"OCR_ENGINE": "easyocr", "OCR_LANG": language}):
            backend = OcrBackend(label_config=xml, served=True)
            [claim] = backend.claim(backend.config)
        assert dict(claim.spec.options) == {"lang": expected}


class TestConformance(EngineConformance):
    """The example of the backend by EasyOCR."""

    kind = OcrBackend
    patch = pytest.MonkeyPatch()

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        publish(save_weights(folder), cls.patch)
        named = {"OCR_ENGINE": "easyocr", "MODEL_DIR": str(folder)}
        return {**named, "OCR_SCORE_THRESHOLD": "0"}

    @classmethod
    def make_example(cls) -> tuple[str, list[dict[str, Any]]]:
        xml = """<View><Image name="i" value="$i"/><Rectangle name="r" toName="i"/>
        <TextArea name="t" toName="i" perRegion="true" label="Text"/></View>"""
        return xml, [{"id": 1, "data": {"i": page(1, lines=1, size=12).url}}]

    @classmethod
    def teardown_class(cls) -> None:
        super().teardown_class()
        cls.patch.undo()

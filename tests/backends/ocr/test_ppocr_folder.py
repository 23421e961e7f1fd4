"""Networks of PP-OCR in a folder take the place of those of RapidOCR's package."""

from pathlib import Path

import numpy as np
import pytest

from backends.ocr import OcrBackend
from backends.ocr.engines import rapidocr
from backends.ocr.engines.rapidocr import RapidOcrEngine, find_weights
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings, changed_environment
from tests.backends.ocr.drawing import page

pytest.importorskip("rapidocr")

# Names as RapidOCR gives to PP-OCRv5's files.
NAMES = "ch_PP-OCRv5_det_mobile.onnx", None, "latin_PP-OCRv5_rec_mobile.onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in MODEL_DIR with the package's networks under other names."""
    made = tmp_path / "ppocr"
    made.mkdir()
    for name, path in zip(NAMES, find_weights(), strict=True):
        if name:
            (made / name).symlink_to(path)
    return made


def test_a_folder_reads_by_its_own_networks(folder: Path) -> None:
    settings = Settings(model_dir=folder.parent)
    paths = find_weights("ppocr", settings)
    assert [path.name for path in paths] == [NAMES[0], rapidocr.WEIGHT_FILES[1], NAMES[2]]
    drawn = Image(np.array(page(3, lines=2).image))
    own, package = (
        RapidOcrEngine("auto", "ko", paths).read(drawn),
        RapidOcrEngine("auto").read(drawn),
    )
    assert own == package
    assert len(own.lines) == 2


def test_the_setting_is_part_of_the_model(folder: Path) -> None:
    xml = '<View><Image name="i" value="$i"/><TextArea name="text" toName="i"/></View>'
    with changed_environment({"OCR_PPOCR_MODEL": "ppocr", "MODEL_DIR": str(folder.parent)}):
        backend = OcrBackend(label_config=xml, served=True)
        [claim] = backend.claim(backend.config)
        assert dict(claim.spec.options) == {"model": "ppocr"}
        assert {path.name for path in backend.weights(claim.spec)} > {NAMES[0], NAMES[2]}


def test_a_wrong_folder_says_what_it_has(folder: Path) -> None:
    settings = Settings(model_dir=folder.parent)
    with pytest.raises(ModelError, match=r"OCR_PPOCR_MODEL=v5: there is no such folder"):
        find_weights("v5", settings)
    (folder / "latin_PP-OCRv5_rec_mobile.onnx").rename(folder / "latin.onnx")
    with pytest.raises(ModelError, match=r"det_mobile\.onnx, latin\.onnx; expected: one ONNX file"):
        find_weights("ppocr", settings)

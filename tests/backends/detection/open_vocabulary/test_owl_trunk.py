"""OWL on OpenVINO finds what it finds on PyTorch; what deviates is not used."""

from typing import Any

import numpy as np
import pytest

from backends._inference import network_part
from backends.detection.open_vocabulary.word_model import WordModel, load_word_model
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings
from tests.backends.detection.open_vocabulary.conftest import Ask, Model, boxes_tag
from tests.backends.detection.open_vocabulary.test_agreement import WORDS, to_pixels

TAG = boxes_tag(*WORDS, model_score_threshold=0.001, model_iou=1)


def loaded(folder: Any, cache: Any, engine: str) -> WordModel:
    settings = Settings(model_dir=folder.parent, cache_dir=cache, engine=engine)
    return load_word_model(ModelSpec("detection", folder.name), settings)


def test_openvino_finds_the_boxes_of_pytorch(ask: Ask) -> None:
    expected, found = (ask("owlv2", TAG, ENGINE=engine)["result"] for engine in ("torch", "auto"))
    assert len(found) == len(expected) > 2
    for one, other in zip(found, expected, strict=True):
        assert one["value"]["rectanglelabels"] == other["value"]["rectanglelabels"]
        assert np.allclose(to_pixels(one["value"]), to_pixels(other["value"]), atol=1)
        assert abs(one["score"] - other["score"]) <= 0.01


def test_a_conversion_is_made_once_and_named(model: Model, tmp_path: Any) -> None:
    folder = model("owlvit")
    assert loaded(folder, tmp_path, "openvino").describe_engine() == "OpenVINO in f32"
    [made] = (tmp_path / "openvino").iterdir()
    before = (made / "model.xml").stat().st_mtime_ns
    assert loaded(folder, tmp_path, "auto").describe_engine() == "OpenVINO in f32"
    assert (made / "model.xml").stat().st_mtime_ns == before
    assert loaded(folder, tmp_path, "torch").describe_engine() == "PyTorch on cpu"


def test_a_conversion_that_deviates_is_not_used(
    model: Model, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_part, "MAX_DEVIATION", -1.0)
    made = loaded(model("owlvit"), tmp_path, "auto").describe_engine()
    assert made.startswith("PyTorch on cpu: 1 in 1000 of its outputs differ from PyTorch's by")
    with pytest.raises(ModelError, match=r"ENGINE=openvino cannot run .*ENGINE=torch runs it"):
        loaded(model("owlvit"), tmp_path, "openvino")


def test_other_engines_are_refused(model: Model, tmp_path: Any) -> None:
    with pytest.raises(ModelError, match="runs on openvino or torch"):
        loaded(model("owlvit"), tmp_path, "onnx")
    with pytest.raises(ModelError, match="runs on torch"):
        loaded(model("sam3"), tmp_path, "openvino")

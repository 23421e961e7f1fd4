"""Networks with few positions run on OpenVINO too, on texts of any length."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("openvino")

from backends._transformers import conversion
from backends._transformers.model_source import ModelSource
from backends.ner.starter.sentences import generate
from backends.ner.token_classifier import TokenClassifier
from backends.text_classification import TextClassificationBackend
from backends.text_classification.sequence_classifier import ClassifierInput, TextClassifier
from shared.settings import Settings

from .conftest import STARTER

TOPICS = Path(__file__).parents[3] / "backends" / "text_classification" / "starter" / "weights"
# Without line breaks: tokens between two sentences are not read.
TEXTS = [" ".join(sentence.text.split()) for sentence in generate(20, 5, "held_out")]
CPU: dict[str, Any] = {"device": "cpu"}


def test_the_classification_starter_runs_on_openvino(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The starter has 128 positions."""
    source = ModelSource("AutoModelForSequenceClassification", TOPICS, tmp_path / "kept")
    ours = TextClassifier.load(source, Settings(**CPU))
    assert ours.network.engine == "openvino", caplog.text
    assert [line for line in caplog.messages if "runs on PyTorch" in line] == []
    reference = TextClassifier.load(source, Settings(engine="torch", **CPU))
    questions = [ClassifierInput(text, (), "") for text in (*TEXTS, " ".join(TEXTS * 9))]
    for fast, slow in zip(ours.classify(questions), reference.classify(questions), strict=True):
        assert np.allclose(fast.logits, slow.logits, atol=0.05)


def small(kind: str, positions: int, folder: Path, limit: int | None = None) -> Path:
    """A token classifier with random weights, `positions` and the starter's tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_labels": 5}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=4000,
        intermediate_size=32,
        max_position_embeddings=positions,
        **({"pad_token_id": 1} if kind == "Roberta" else {}),
        **shape,
    )
    getattr(transformers, f"{kind}ForTokenClassification")(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / name, folder / name)
    told = (folder / "tokenizer_config.json").read_text()
    (folder / "tokenizer_config.json").write_text(
        told.replace('"model_max_length": 512', f'"model_max_length": {limit or 10**30}')
    )
    return folder


@pytest.mark.parametrize(
    ("kind", "positions", "room"),
    [("Bert", 64, 64), ("Bert", 12, 12), ("Roberta", 66, 64), ("Bert", 512, 512)],
)
def test_row_length_is_limited_by_positions(
    kind: str, positions: int, room: int, tmp_path: Path
) -> None:
    """RoBERTa numbers positions from the padding id + 1."""
    source = ModelSource(
        "AutoModelForTokenClassification", small(kind, positions, tmp_path / "net"), tmp_path / "k"
    )
    for engine in ("auto", "torch"):
        ours = TokenClassifier.load(source, Settings(engine=engine, **CPU))
        assert ours.network.max_tokens == room
        assert ours.network.engine == ("openvino" if engine == "auto" else "torch")
        [read] = ours.classify_tokens([" ".join(TEXTS * 5)])
        assert read.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_warning_names_a_network_that_cannot_be_converted_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("an operation is not known\nwith more about it")

    monkeypatch.setattr(conversion, "convert_network", broken)
    monkeypatch.setenv("TEXT_CLASSIFICATION_MODEL", "starter")
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    backend = TextClassificationBackend()
    [spec] = backend.default_specs()
    network = backend.load(spec).network
    assert network.engine == "torch"
    assert network.describe_engine() == (
        "PyTorch on cpu: it could not be converted to OpenVINO, as the log says"
    )
    [line] = [line for line in caplog.messages if "runs on PyTorch" in line]
    assert line.startswith("text_classification-starter runs on PyTorch")
    assert "RuntimeError: an operation is not known" in line
    assert "more about it" not in line
    assert "ENGINE=torch" in line

"""Vectors of texts, for `prelabel next --strategy diverse`: the hidden state before the logits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

from backends._transformers.model_source import ModelSource
from backends.ner import NerBackend
from backends.ner.token_classifier import TokenClassifier
from backends.text_classification import TextClassificationBackend
from backends.text_classification.sequence_classifier import ClassifierInput, TextClassifier
from shared.settings import Settings

from .ner.test_engine import bert

TEXTS = [
    "Ada Lovelace met Charles Babbage in London.",
    "Ada Lovelace met Charles Babbage in London",
    "The match ended without a goal.",
    "",
]


def load(backend: Any, model: Any, engine: str, folder: Path) -> Any:
    # The starter of NER is no BERT, and runs on PyTorch alone.
    weights = bert(folder / "bert") if backend is NerBackend else backend.starter_folder
    source = ModelSource(backend.auto_class, weights, folder / "kept" / backend.name)
    return model.load(source, Settings(engine=engine, device="cpu"))


@pytest.mark.parametrize("kind", ["ner", "text_classification"])
def test_engines_give_the_same_hidden_states(kind: str, tmp_path: Path) -> None:
    found = {}
    for engine in ("torch", "openvino"):
        if kind == "ner":
            found[engine] = load(NerBackend, TokenClassifier, engine, tmp_path).embed(TEXTS)
        else:
            inputs = [ClassifierInput(text, (), "") for text in TEXTS]
            model = load(TextClassificationBackend, TextClassifier, engine, tmp_path)
            found[engine] = model.embed(inputs)
    torch, openvino = found["torch"], found["openvino"]
    assert torch.shape == openvino.shape
    assert torch.shape[0] == len(TEXTS)
    assert torch.shape[1] > 16, "hidden states, not the scores of a few classes"
    assert np.abs(torch - openvino).max() < 0.05 * np.abs(torch).max()
    same, other = (np.linalg.norm(torch[0] - torch[n]) for n in (1, 2))
    assert same < other / 2

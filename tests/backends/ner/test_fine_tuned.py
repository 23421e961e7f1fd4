"""A model fine-tuned here, like those of users: its own types, mapped to labels."""

from pathlib import Path

import pytest

from backends.ner.starter.scores import TAGS
from backends.ner.starter.sentences import generate

from .conftest import STARTER, Predict
from .test_objects import TEXT, texts
from .trained import BATCH, learn, save

STEPS = 40
# Types of the new model; the starter has other names for them, and four more types.
NAMES = {"PER": "human", "LOC": "place", "ORG": "firm"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with a new head, trained for some seconds and saved by transformers."""
    import torch
    from transformers import AutoModelForTokenClassification

    tags = ["O", *(f"{prefix}-{name}" for name in NAMES.values() for prefix in "BI")]
    torch.manual_seed(0)
    network = AutoModelForTokenClassification.from_pretrained(
        STARTER,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
        ignore_mismatched_sizes=True,
        dtype="float32",
    )

    def new(tag: int) -> int:
        prefix, _, kind = TAGS[tag].partition("-")
        return tags.index(f"{prefix}-{NAMES[kind]}") if kind in NAMES else 0

    learn(network, generate(STEPS * BATCH, 31), new, 1e-3)
    return save(network, tmp_path_factory.mktemp("models") / "tuned")


@pytest.mark.slow
def test_entities_get_the_labels_of_the_config(
    folder: Path, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most entities are found, with names unseen in training; types without a label are not."""
    from backends._transformers.model_source import ModelSource
    from backends.ner import NerBackend
    from backends.ner.token_classifier import TokenClassifier
    from shared.settings import Settings

    tuned = TokenClassifier.load(
        ModelSource("AutoModelForTokenClassification", folder, folder.parent / "kept"),
        Settings(device="cpu"),
    )
    monkeypatch.setattr(NerBackend, "load", lambda self, spec: tuned)
    xml = TEXT.replace('"Person"', '"Person" predicted_values="human"').replace(
        '"Organization"', '"Place"'
    )
    sentences = generate(200, 77, "held_out")
    answers = predict(xml, *({"t": sentence.text} for sentence in sentences))
    labels = {"PER": "Person", "LOC": "Place"}
    right = found = wanted = 0
    for sentence, answer in zip(sentences, answers, strict=True):
        truth = {(s.start, s.end, labels[s.label]) for s in sentence.spans if s.label in labels}
        values = [result["value"] for result in answer["result"]]
        told = {(value["start"], value["end"], value["labels"][0]) for value in values}
        assert texts(answer) == [sentence.text[v["start"] : v["end"]] for v in values]
        right, found, wanted = right + len(truth & told), found + len(told), wanted + len(truth)
    assert 2 * right / (found + wanted) > 0.6
    assert {kind for *_, kind in told} <= {"Person", "Place"}

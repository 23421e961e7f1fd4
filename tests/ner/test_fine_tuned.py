"""A model that is fine-tuned here, as users have theirs: other types, and our mapping of them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from backends.ner.starter.scores import TAGS, tags_of
from backends.ner.starter.sentences import Sentence, generate

from .conftest import STARTER, Predict
from .test_objects import TEXT, texts

STEPS, BATCH = 40, 16
NAMES = {"PER": "human", "LOC": "place", "ORG": "firm"}
"""Types of the new model; the starter has none of these names, and knows four types more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with a new head, all of it trained in some seconds, saved by transformers."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForTokenClassification

    made = tmp_path_factory.mktemp("models") / "tuned"
    tags = ["O", *(f"{prefix}-{name}" for name in NAMES.values() for prefix in "BI")]
    torch.manual_seed(0)
    network = AutoModelForTokenClassification.from_pretrained(
        STARTER,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
        ignore_mismatched_sizes=True,
        dtype="float32",
    )
    tokenizer = Tokenizer.from_file(str(STARTER / "tokenizer.json"))
    sentences = generate(STEPS * BATCH, 31)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for start in range(0, len(sentences), BATCH):
        given = batch(sentences[start : start + BATCH], tokenizer, tags)
        network.train()(**given).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval().save_pretrained(made)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / name, made / name)
    return made


def batch(sentences: list[Sentence], tokenizer: Any, tags: list[str]) -> dict[str, Any]:
    """Token ids and tags, filled up to the longest."""
    import torch

    def new(tag: int) -> int:
        prefix, _, kind = TAGS[tag].partition("-")
        return tags.index(f"{prefix}-{NAMES[kind]}") if kind in NAMES else min(tag, 0)

    codes = tokenizer.encode_batch([sentence.text for sentence in sentences])
    shape = len(codes), max(len(code.ids) for code in codes)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for row, (code, sentence) in enumerate(zip(codes, sentences, strict=True)):
        ids[row, : len(code.ids)] = torch.tensor(code.ids)
        found = [new(tag) if tag > 0 else tag for tag in tags_of(sentence, code.offsets)]
        labels[row, : len(code.ids)] = torch.tensor(found)
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


@pytest.mark.slow
def test_its_entities_are_shown_under_the_labels_of_the_config(
    folder: Path, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On names that it has not seen in training, most of them; and no type without a label."""
    from backends._text.engine import Source
    from backends.ner import NerBackend
    from backends.ner.model import TokenClassifier
    from shared.settings import Settings

    tuned = TokenClassifier.load(
        Source("AutoModelForTokenClassification", folder, folder.parent / "kept"),
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

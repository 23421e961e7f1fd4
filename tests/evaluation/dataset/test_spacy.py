"""Datasets for spaCy, read by its own Corpus; and a step of training on them."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingError
from shared.evaluation.dataset import spacy_docs

from .building import Built, build, task
from .test_hugging_face import TEXTS, answer, span

spacy = pytest.importorskip("spacy")


def load(built: Built, part: str = "train") -> list[Any]:
    from spacy.training import Corpus

    nlp = spacy.blank("xx")
    return list(Corpus(built.folder / f"{part}.spacy")(nlp))


def test_entities_spans_and_categories(tmp_path: Path) -> None:
    text = "Ann Lee in New York."
    spans = [span("Person", 0, 7), span("Person", 4, 7), span("City", 11, 19)]
    tasks = [
        task(1, {"text": text}, [*spans, answer("mood", "choices", ["Bad"])]),
        task(2, {"text": "Nobody"}, []),
    ]
    built = build(tmp_path, TEXTS, tasks, "spacy")
    first, second = (example.reference for example in load(built))
    assert [(ent.text, ent.label_) for ent in first.ents] == [
        ("Ann Lee", "Person"),
        ("New York", "City"),
    ]
    assert [(one.text, one.label_) for one in first.spans["sc"]] == [
        ("Ann Lee", "Person"),
        ("Lee", "Person"),
        ("New York", "City"),
    ]
    assert first.cats == {"mood/Good": 0.0, "mood/Bad": 1.0}
    assert (second.text, list(second.ents), second.cats) == ("Nobody", [], {})
    assert built.problems == []


def test_spans_inside_tokens_are_reported(tmp_path: Path) -> None:
    tasks = [task(5, {"text": "Annabel sings"}, [span("Person", 0, 3)])]
    built = build(tmp_path, TEXTS, tasks, "spacy")
    [example] = load(built)
    assert list(example.reference.spans["sc"]) == []
    [problem] = built.problems
    assert problem.startswith("spans do not begin and end with tokens of --language xx")
    assert 'task 5: "Ann"' in problem


def test_a_large_part_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_docs, "FILE_DOCS", 3)
    tasks = [task(number, {"text": f"Text {number}"}, []) for number in range(7)]
    built = build(tmp_path, TEXTS, tasks, "spacy")
    assert sorted(path.name for path in (built.folder / "train.spacy").iterdir()) == [
        "0001.spacy",
        "0002.spacy",
        "0003.spacy",
    ]
    assert {example.text for example in load(built)} == {f"Text {number}" for number in range(7)}


def test_a_step_of_training(tmp_path: Path) -> None:
    """SpaCy's entity recognizer and span categorizer learn from these files as they are."""
    tasks = [
        task(number, {"text": f"Ann met Bob{number} in Rome"}, [span("Person", 0, 3)])
        for number in range(4)
    ]
    built = build(tmp_path, TEXTS, tasks, "spacy")
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner")
    nlp.add_pipe("spancat")
    examples = load(built)
    nlp.initialize(lambda: examples)
    losses = nlp.update(examples)
    assert nlp.get_pipe("ner").labels == ("Person",)
    assert nlp.get_pipe("spancat").labels == ("Person",)
    assert losses["ner"] > 0


def test_an_unknown_language(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--language klingon: spaCy cannot use it"):
        build(tmp_path, TEXTS, [task(1, {"text": "One"}, [])], "spacy", language="klingon")

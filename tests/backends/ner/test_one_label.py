"""Classes with the same label: adjacent words of them are one entity."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

from backends.ner import NerBackend
from backends.ner.token_classifier import TokenClassifier
from shared.pipeline.runtime import runtime

TEXT = "Laura Stein met Paul Brunner in Berlin"
# For O, B-PER and I-PER.
UNNAMED = ("LABEL_0", "LABEL_1", "LABEL_2")


class Reading:
    """Replaces the network: each word of the text gets a given tag."""

    name, note = "given tags", ""

    def __init__(self, tags: str, names: tuple[str, ...], classifier: TokenClassifier) -> None:
        self._numbers = [names.index(tag) for tag in tags.split()]
        self.concurrency, self._count = 1, len(names)
        [self._tokens] = classifier.tokenizer.encode([TEXT])

    def run(self, batches: Any) -> list[Any]:
        return [self._logits(batch["input_ids"].shape) for batch in batches]

    def _logits(self, shape: tuple[int, int]) -> Any:
        logits = np.zeros((*shape, self._count), np.float32)
        starts = [start for start, _ in self._tokens.offsets]
        for token, start in enumerate(starts, len(self._tokens.prefix)):
            word = len(TEXT[: start + 1].split()) - 1
            logits[:, token, self._numbers[word]] = 9
        return logits


def spans(
    tags: str,
    names: tuple[str, ...],
    labels: str,
    classifier: TokenClassifier,
    monkeypatch: pytest.MonkeyPatch,
    attributes: str = "",
) -> list[dict[str, Any]]:
    network = replace(
        classifier.network, runner=Reading(tags, names, classifier), labels=list(names)
    )
    monkeypatch.setattr(NerBackend, "load", lambda self, spec: replace(classifier, network=network))
    monkeypatch.setenv("NER_MODEL", "starter")
    xml = (
        f'<View><Labels name="l" toName="t" {attributes}>{labels}</Labels>'
        '<Text name="t" value="$t"/></View>'
    )
    backend = NerBackend(label_config=xml, served=True)
    route = runtime().planner.plan(backend.config, [backend], ["ner"])
    [outcome] = runtime().pipeline.run(route, [{"id": 1, "data": {"t": TEXT}}])
    answer = outcome.to_response(interactive=False)
    assert isinstance(answer, dict), route.problems
    return list(answer["result"])


def found(*given: Any) -> list[tuple[str, str]]:
    return [(r["value"]["text"], r["value"]["labels"][0]) for r in spans(*given)]


PERSON = '<Label value="Person" predicted_values="LABEL_1,LABEL_2"/>'
ENTITY = '<Label value="Entity" predicted_values="PER,ORG"/>'
LAURA, PAUL = ("Laura Stein", "Person"), ("Paul Brunner", "Person")


@pytest.mark.parametrize(
    ("tags", "names", "labels", "expected"),
    [
        pytest.param(
            "LABEL_1 LABEL_2 LABEL_0 LABEL_1 LABEL_2 LABEL_0 LABEL_0",
            UNNAMED, PERSON, [LAURA, PAUL], id="without names",
        ),
        pytest.param(
            "LABEL_1 LABEL_2 LABEL_0 LABEL_1 LABEL_2 LABEL_0 LABEL_0",
            UNNAMED,
            '<Label value="First" predicted_values="LABEL_1"/>'
            '<Label value="Further" predicted_values="LABEL_2"/>',
            [("Laura", "First"), ("Stein", "Further"), ("Paul", "First"), ("Brunner", "Further")],
            id="two labels",
        ),
        pytest.param(
            "B-PER B-PER O B-PER I-PER O O", ("O", "B-PER", "I-PER"),
            '<Label value="Person"/>',
            [("Laura", "Person"), ("Stein", "Person"), PAUL], id="B begins another",
        ),
        pytest.param(
            "B-PER B-ORG O B-PER I-ORG O O", ("O", "B-PER", "I-PER", "B-ORG", "I-ORG"), ENTITY,
            [("Laura", "Entity"), ("Stein", "Entity"), ("Paul Brunner", "Entity")],
            id="B of another type begins another and I goes on",
        ),
        pytest.param(
            "S-PER S-ORG O B-PER E-ORG O O", ("O", "S-PER", "S-ORG", "B-PER", "E-ORG"), ENTITY,
            [("Laura", "Entity"), ("Stein", "Entity"), ("Paul Brunner", "Entity")], id="S and E",
        ),
        pytest.param(
            "PER ORG O PER O O ORG", ("O", "PER", "ORG"), ENTITY,
            [("Laura Stein", "Entity"), ("Paul", "Entity"), ("Berlin", "Entity")],
            id="plain types",
        ),
        pytest.param(
            "PER ORG O PER O O ORG", ("O", "PER", "ORG"), '<Label value="Person"/>',
            [("Laura", "Person"), ("Paul", "Person")], id="a type without a label",
        ),
    ],
)  # fmt: skip
def test_words_of_one_label_are_one_entity(
    tags: str,
    names: tuple[str, ...],
    labels: str,
    expected: list[tuple[str, str]],
    classifier: TokenClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert found(tags, names, labels, classifier, monkeypatch) == expected


def test_token_scores_add_all_classes_of_the_label(
    classifier: TokenClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = "LABEL_1 LABEL_2 LABEL_0 LABEL_0 LABEL_0 LABEL_0 LABEL_0"
    [result] = spans(tags, UNNAMED, PERSON, classifier, monkeypatch, 'model_token_scores="true"')
    scores = result["meta"]["token_scores"]
    assert "".join(token["text"] for token in scores) == "LauraStein"
    assert all(token["score"] > 0.99 for token in scores)

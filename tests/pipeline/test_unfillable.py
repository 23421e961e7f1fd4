"""Where nothing could be asked of the model there is no prediction, not an empty one."""

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.registry import find_backends
from shared.errors import UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.results import Region
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings
from shared.testing import example_environment
from tests.tiny import WordBackend, made, routed, tasks

KNOWN, UNKNOWN, BOTH = (
    '<View><Text name="text" value="$text"/>'
    + "".join(
        f'<Labels name="{name}" toName="text"><Label value="{label}"/></Labels>'
        for name, label in labels
    )
    + "</View>"
    for labels in (
        [("good", "Word")],
        [("one", "Dragon"), ("other", "Unicorn")],
        [("good", "Word"), ("one", "Dragon")],
    )
)


class MappedBackend(WordBackend):
    """Marks the first word where a label is one of its classes; `nothing` has none."""

    name = "mapped"
    interactive = True
    classes = ("word", "sentence")

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        claim.labels_for(self.classes)
        if output != "nothing":
            yield from super().regions(output, claim)


class OtherBackend(MappedBackend):
    name = "other"
    label = "Dragon"
    classes = ("dragon",)


def predict(xml: str, *texts: str, cls: type[Backend] = MappedBackend) -> list[Any]:
    return [
        outcome.to_response()
        for outcome in runtime().pipeline.run(routed(made(cls, xml), xml=xml), tasks(*texts))
    ]


def test_a_task_of_which_nothing_could_be_asked_has_no_prediction() -> None:
    assert predict(UNKNOWN, "a", "b") == [[], []]
    assert runtime().failures.counts() == {("mapped", "unfillable"): 2}
    message = runtime().failures.recent()[0]["message"]
    for name in ("one", "other", "Dragon", "Unicorn", "word", "sentence", "mapped"):
        assert name in message
    assert message.count("Labels") == 2


def test_a_task_in_which_nothing_was_found_has_an_empty_prediction() -> None:
    [answer] = predict(KNOWN, "nothing")
    assert answer["result"] == []
    assert runtime().failures.counts() == {}


@pytest.mark.parametrize("text", ["a", "nothing"])
def test_what_can_be_filled_is_filled(text: str) -> None:
    [answer] = predict(BOTH, text)
    assert {result["from_name"] for result in answer["result"]} <= {"good"}
    assert bool(answer["result"]) == (text == "a")
    assert runtime().failures.counts() == {}


def test_one_backend_of_two_can_fill_something() -> None:
    xml = BOTH.replace('name="one"', 'name="one" model_backend="other"')
    backends = made(MappedBackend, xml), made(OtherBackend, xml)
    assert len(routed(*backends, xml=xml).steps) == 2
    [outcome] = runtime().pipeline.run(routed(*backends, xml=xml), tasks("nothing"))
    assert outcome.to_response()["result"] == []  # type: ignore[call-overload]


def test_it_is_counted_and_told() -> None:
    app = create_app(BackendService([MappedBackend]), read_settings(Settings))
    with TestClient(app) as client:
        body: dict[str, Any] = {"tasks": tasks("a"), "label_config": UNKNOWN}
        assert client.post("/predict", json=body).json() == {"results": [[]]}
        body["params"] = {"context": {"result": [{"id": "a"}]}}
        assert client.post("/predict", json=body).json() == {"results": [{"result": []}]}
        assert client.get("/status").json()["failures"]["counts"] == {"mapped:unfillable": 2}
        metrics = client.get("/metrics").text
    assert 'prelabel_failures_total{backend="mapped",reason="unfillable"} 2.0' in metrics
    assert 'prelabel_tasks_total{outcome="failed"} 1.0' in metrics


def test_labels_are_those_of_the_classes() -> None:
    [good, unknown] = routed(made(MappedBackend, BOTH), xml=BOTH).all_claims()
    assert good.labels_for(["word", "line"]) == {"word": "Word"}
    with pytest.raises(UnfillableError, match=r'Labels "one": no class .* Dragon.*: word, line'):
        unknown.labels_for(["word", "line"])
    assert unknown.labels_for(["dragon"]) == {"dragon": "Dragon"}, "a class that came later"
    assert len(unknown.mapping_report()) == 1


# The backends that are there

TAGS = {
    "pattern": '<Labels name="l" toName="o">LABELS</Labels><Text name="o" value="$v"/>',
    "ner": '<Labels name="l" toName="o">LABELS</Labels><Text name="o" value="$v"/>',
    "text_classification": '<Choices name="l" toName="o">LABELS</Choices>'
    '<Text name="o" value="$v"/>',
}
TEXT = "Ann Lee was in Paris on 3 May 2024."


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("labels", ["Dragon,Unicorn", ""])
def test_texts(name: str, labels: str) -> None:
    backend = find_backends()[name]
    if backend.unavailable_reason() is not None:
        pytest.skip(str(backend.unavailable_reason()))
    inner = "Choice" if "Choices" in TAGS[name] else "Label"
    tags = "".join(f'<{inner} value="{label}"/>' for label in labels.split(",") if label)
    xml = f"<View>{TAGS[name].replace('LABELS', tags)}</View>"
    with example_environment(backend):
        route = routed(backend(label_config=xml, served=True), xml=xml)
        assert len(route.steps) == 1
        [outcome] = runtime().pipeline.run(route, [{"id": 1, "data": {"v": TEXT}}])
        assert isinstance(outcome.error, UnfillableError), outcome.to_response()
        assert runtime().failures.counts() == {(name, "unfillable"): 1}


def test_every_label_config_is_read() -> None:
    assert [len(LabelConfig.parse(xml).controls) for xml in (KNOWN, UNKNOWN, BOTH)] == [1, 2, 2]


def test_it_is_decided_for_each_task_where_tasks_bring_the_labels() -> None:
    xml = """<View><Text name="text" value="$text"/>
      <Labels name="l" toName="text" value="$own"/></View>"""
    given = [
        {"id": 1, "data": {"text": "nothing", "own": [{"value": label}]}}
        for label in ("Word", "Dragon", "word")
    ]
    outcomes = list(runtime().pipeline.run(routed(made(MappedBackend, xml), xml=xml), given))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, UnfillableError)

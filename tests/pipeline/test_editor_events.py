"""Events of the editor reach the backend that knows them; for others they change nothing."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.backend.claim import Claim, ModelSpec
from shared.backend.editor_event import EditorEvent
from shared.errors import ClientGoneError, DeadlineError, TaskError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import Result
from tests.tiny import PromptBackend, made, routed, tasks


class KnowingBackend(PromptBackend):
    """Says of `ask` what its model answers, fails at `fail` and `break`, waits at `wait`."""

    name = "knowing"

    def answer_event(self, event: EditorEvent) -> Sequence[Result] | None:
        if event.name == "ask":
            text = event.task.text_value(event.claims[0].object)
            output = event.models.wait_for(event.models.start(event.claims[0], text))
            return [{"type": "answer", "value": {"says": output, "key": event.context["key"]}}]
        if event.name == "fail":
            raise TaskError("it cannot be")
        if event.name == "break":
            raise KeyError("/secret/path")
        if event.name == "wait":
            event.models.pause(60)
        return None

    def claim(self, config: LabelConfig) -> list[Claim]:
        claims = super().claim(config)
        return [Claim(one.controls, one.object, ModelSpec(self.name, "m")) for one in claims]


def run(context: dict[str, Any], scope: RequestScope | None = None) -> Any:
    plan = routed(made(KnowingBackend))
    [outcome] = runtime().pipeline.run(plan, tasks("a word"), context, scope)
    return outcome


def test_an_answer_is_sent_as_it_is_and_a_model_runs_for_it() -> None:
    answer = run({"event": "ask", "key": 1}).to_response(interactive=True)
    assert answer["result"] == [{"type": "answer", "value": {"says": "a word", "key": 1}}]
    assert isinstance(answer["model_version"], str)


@pytest.mark.parametrize(
    "context", [{"event": "other", "result": []}, {"result": []}], ids=["not answered", "no event"]
)
def test_what_is_not_answered_is_predicted(context: dict[str, Any]) -> None:
    [result] = run(context).prediction.results
    assert result["type"] == "labels"


@pytest.mark.parametrize(
    ("name", "says"),
    [("fail", "it cannot be"), ("break", "knowing failed on this event: KeyError"), (7, "a name")],
)
def test_what_goes_wrong_costs_the_event(name: Any, says: str) -> None:
    outcome = run({"event": name})
    assert says in str(outcome.error)
    assert "/secret" not in str(outcome.error)


def test_who_waits_stops_at_the_deadline_and_when_the_client_is_gone() -> None:
    assert isinstance(run({"event": "wait"}, RequestScope(0.01)).error, DeadlineError)
    gone = RequestScope()
    gone.disconnect()
    with pytest.raises(ClientGoneError):
        run({"event": "wait"}, gone)

"""Answers of all kinds in random order, through the whole pipeline."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from backends.prompt import PromptBackend
from backends.prompt.models import request_failure
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runtime import runtime
from tests.prompt.fault_server import FaultServer
from tests.prompt.faults import FAULTS, HANGING

CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="mood" toName="text" required="true">
    <Choice value="Good"/><Choice value="Bad"/>
  </Choices>
  <Rating name="stars" toName="text" required="true"/>
  <Labels name="words" toName="text"><Label value="Name"/><Label value="Place"/></Labels>
</View>"""
TASKS = 500
# Of each fault so many; fewer of those that take their time.
OF_EACH, OF_EACH_HANGING = 12, 3
TIMEOUT_SECONDS = 2.0
# A fault that comes once only, or makes an answer late or odd: the prediction is there.
HARMLESS = ("error_503*1", "rate_limit*1", "prose*1", "closed*1", "slow", "not_an_object")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setattr(request_failure, "FIRST_WAIT_SECONDS", 0.01)
    with FaultServer() as server:
        monkeypatch.setenv("PROMPT_MODEL", "any")
        monkeypatch.setenv("PROMPT_BASE_URL", server.url)
        monkeypatch.setenv("PROMPT_CONCURRENCY", "64")
        monkeypatch.setenv("PROMPT_TIMEOUT", str(TIMEOUT_SECONDS))
        yield server


def plan() -> PredictionPlan:
    config = LabelConfig.parse(CONFIG)
    return runtime().planner.plan(config, [PromptBackend(label_config=CONFIG, served=True)])


def predict(faults: Sequence[str]) -> list[TaskOutcome]:
    tasks = [
        {"id": number, "data": {"text": f"Ann went to Rome {number} {mark(fault)}"}}
        for number, fault in enumerate(faults)
    ]
    return list(runtime().pipeline.run(plan(), tasks))


def mark(fault: str) -> str:
    return f"[fault:{fault}]" if fault else ""


def test_500_answers_in_random_order(server: FaultServer) -> None:
    """As many predictions as there are valid answers, and every other task is named."""
    faults = [fault for fault in (*FAULTS, *HARMLESS) if fault not in HANGING] * OF_EACH
    faults += HANGING * OF_EACH_HANGING
    faults += [""] * (TASKS - len(faults))
    random.Random(3).shuffle(faults)
    found: Counter[str] = Counter()
    for fault, outcome in zip(faults, predict(faults), strict=True):
        if fault in FAULTS:
            kind, message, _ = FAULTS[fault]
            assert type(outcome.error) is kind, (fault, outcome)
            assert message in str(outcome.error), fault
            found[kind.reason] += 1
        else:
            assert outcome.prediction is not None, (fault, outcome.error)
            check_prediction(outcome.prediction.results)
    failures = runtime().failures.counts()
    assert failures == {("prompt", reason): count for reason, count in found.items()}
    assert sum(found.values()) == OF_EACH * 23 + OF_EACH_HANGING * 2


def check_prediction(results: Sequence[Any]) -> None:
    kinds = Counter(result["type"] for result in results)
    assert (kinds["choices"], kinds["rating"]) == (1, 1)
    for result in results:
        if result["type"] == "labels":
            assert result["value"]["labels"][0] in ("Name", "Place")


def test_failed_task_is_asked_again_and_a_done_one_is_not(server: FaultServer) -> None:
    first = predict(["", "refusal*1"])
    assert [outcome.error is None for outcome in first] == [True, False]
    second = predict(["", "refusal*1"])
    assert [outcome.error for outcome in second] == [None, None]
    assert len(server.asked) == 3


def test_server_that_hangs_keeps_nobody(server: FaultServer) -> None:
    """Questions that hang take their own time: those beside them are answered meanwhile."""
    outcomes = predict(["hang"] * 20 + [""] * 20)
    errors = [outcome.error for outcome in outcomes]
    assert all(isinstance(error, TaskError) for error in errors[:20])
    assert errors[20:] == [None] * 20
    valid = [asked.answered for asked in server.asked if asked.fault == "valid"]
    hanging = [asked.seconds for asked in server.asked if asked.fault == "hang"]
    assert max(valid) < min(hanging) + 2 * TIMEOUT_SECONDS, "before the first one ends"

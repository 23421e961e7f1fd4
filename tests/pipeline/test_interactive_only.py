"""A model that answers only what is drawn stands beside those that fill the tags in bulk."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

import pytest

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import Region, TextSpan, region
from tests.tiny import TEXT_CONFIG, WordBackend

TASK = {"id": 1, "data": {"text": "one two"}}
DRAWN = {"result": [{"id": "drawn"}]}


class DrawnWord(Backend):
    """Marks the last word, if anything is drawn. `seen` are the texts that were read ahead."""

    name = "drawn_word"
    fills = frozenset({("Labels", "Text")})
    interactive = True
    fails = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[str] = []
        self.is_ready = threading.Event()

    def claim(self, config: LabelConfig) -> list[Claim]:
        return [
            Claim((control,), target, self.spec(control), interactive_only=True)
            for control, target in config.tag_pairs()
            if control.tag == "Labels"
        ]

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, "drawn")

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        return task.text_value(claim.object), context is not None

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        for text, is_drawn in items:
            if not is_drawn:
                self.seen.append(text)
                self.is_ready.set()
                if self.fails:
                    raise RuntimeError
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, is_drawn = output
        if is_drawn:
            start = text.rfind(" ") + 1
            yield region(TextSpan(start, len(text)), {claim.control: ["Other"]}, source=text)


def plan_of(*backends: type[Backend]) -> PredictionPlan:
    config = LabelConfig.parse(TEXT_CONFIG)
    return runtime().planner.plan(config, [cls(label_config=config.xml) for cls in backends])


def predict(
    plan: PredictionPlan, context: Context | None = None, interactive: bool = False
) -> list[str]:
    """The texts that are marked."""
    scope = RequestScope(interactive=interactive)
    with closing(runtime().pipeline.run(plan, [TASK], context, scope)) as outcomes:
        [outcome] = outcomes
    found = outcome.prediction.results if outcome.prediction else []
    return [result["value"]["text"] for result in found]


def drawn_backend(plan: PredictionPlan) -> DrawnWord:
    return next(step.backend for step in plan.steps if isinstance(step.backend, DrawnWord))


def test_bulk_is_filled_by_the_other_backend_and_clicks_by_this_one() -> None:
    plan = plan_of(DrawnWord, WordBackend)
    assert predict(plan) == ["one"]
    assert predict(plan, DRAWN) == ["two"]
    assert drawn_backend(plan).seen == []


def test_the_version_is_that_of_the_bulk_models() -> None:
    both, alone = plan_of(DrawnWord, WordBackend), plan_of(WordBackend)
    assert both.version(wait=True) == alone.version(wait=True)
    assert plan_of(DrawnWord).version(wait=True).startswith("drawn_word")


def test_alone_it_fills_nothing_in_bulk_and_says_why() -> None:
    plan = plan_of(DrawnWord)
    with closing(runtime().pipeline.run(plan, [TASK, TASK])) as outcomes:
        errors = [str(outcome.error) for outcome in outcomes]
    assert errors == ["drawn_word fills only what is clicked or drawn"] * 2


@pytest.mark.parametrize("backends", [(DrawnWord,), (DrawnWord, WordBackend)])
def test_an_opened_task_is_prepared(backends: tuple[type[Backend], ...]) -> None:
    plan = plan_of(*backends)
    predict(plan, interactive=True)
    assert drawn_backend(plan).is_ready.wait(30)
    assert drawn_backend(plan).seen == ["one two"]


def test_a_preparation_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DrawnWord, "fails", True)
    plan = plan_of(DrawnWord, WordBackend)
    assert predict(plan, interactive=True) == ["one"]
    assert drawn_backend(plan).is_ready.wait(30)
    assert predict(plan, DRAWN) == ["two"]

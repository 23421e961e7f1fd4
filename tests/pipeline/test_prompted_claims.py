"""A model that is shown what another one finds, in a second step of the same task."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.backend.base import Context
from shared.backend.claim import Claim
from shared.errors import UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.results import ParsedRegion, Region, TextSpan, region
from shared.training.trainable import find_trainable
from tests.tiny import BrokenBackend, WordBackend, made, routed, tasks

LABEL = '<Label value="Word"/>'
WORDS = f'<Labels name="word" toName="text">{LABEL}</Labels>'
ENDS = f'<Labels name="end" toName="text" last="true">{LABEL}</Labels>'


def config(*tags: str) -> str:
    return f'<View><Text name="text" value="$text"/>{"".join(tags)}</View>'


BOTH, ENDS_ALONE = config(WORDS, ENDS), config(ENDS)


class OtherWord(WordBackend):
    """Fills every Labels, and counts the texts that its model gets."""

    interactive = False


class LastLetter(WordBackend):
    """Marks the last letters of words that others find, with the labels of these."""

    name = "last"
    interactive = True

    def claim(self, config: LabelConfig) -> list[Claim]:
        texts = config.objects["text"]
        found = []
        for control in config.controls:
            if control.attrs.get("last") == "true":
                others = tuple(one for one in config.controls if one is not control)
                words = others or (replace(control, attrs={}),)
                spec = self.spec(control)
                claim = Claim((control,), texts, spec, is_requested=True, prompted_by=words)
                found.append(claim)
        return found

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        return task.text_value(claim.object), ((0, 3, "Word"),)

    def read_prompted(self, task: Task, claim: Claim, regions: Sequence[ParsedRegion]) -> Any:
        spans = []
        for one in regions:
            assert isinstance(one.shape, TextSpan)
            [label] = next(iter(one.values.values()))
            spans.append((one.shape.start, one.shape.end, label))
        return task.text_value(claim.object), tuple(spans)

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        self.batches.append(items)
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, spans = output
        for _, end, label in spans:
            yield region(TextSpan(end - 1, end), {claim.control: [label]}, source=text)


class BrokenLast(LastLetter):
    load = BrokenBackend.load


class NoWord(OtherWord):
    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        raise UnfillableError("No word is known")


def found(plan: PredictionPlan, *texts: str, context: Context | None = None) -> list[list[Any]]:
    """Of each task the control tags and the marked texts."""
    answers = []
    for outcome in runtime().pipeline.run(plan, tasks(*texts), context):
        assert outcome.prediction is not None, outcome.error
        results = outcome.prediction.results
        answers.append([(one["from_name"], one["value"]["text"]) for one in results])
    return answers


def error_of(plan: PredictionPlan) -> str:
    [outcome] = runtime().pipeline.run(plan, tasks("one two"))
    return str(outcome.error)


def test_it_is_shown_what_fills_another_tag() -> None:
    words, last = made(OtherWord, BOTH), made(LastLetter, BOTH)
    plan = routed(words, last, xml=BOTH)
    assert found(plan, "one two", "three") == [
        [("word", "one"), ("end", "e")],
        [("word", "three"), ("end", "e")],
    ]
    assert plan.filled_by() == {"word": "word", "end": "last"}
    assert plan.problems == ()


def test_without_that_tag_another_backend_finds_what_it_is_shown() -> None:
    words, last = made(OtherWord, ENDS_ALONE), made(LastLetter, ENDS_ALONE)
    plan = routed(last, words, xml=ENDS_ALONE)
    assert found(plan, "one two") == [[("end", "e")]]
    assert plan.filled_by() == {"end": "last"}
    assert words.batches == [["one two"]]
    assert sorted(part.split("-")[0] for part in plan.version().split("+")) == ["last", "word"]


def test_both_uses_of_a_model_cost_one_run() -> None:
    tags = config(WORDS, ENDS.replace('last="true"', 'last="true" alone="true"'))

    class Alone(LastLetter):
        def claim(self, config: LabelConfig) -> list[Claim]:
            [claim] = super().claim(config)
            own = replace(claim.control, attrs={})
            return [replace(claim, prompted_by=(own,))]

    words = made(OtherWord, tags)
    plan = routed(words, made(Alone, tags), xml=tags)
    assert found(plan, "one two") == [[("word", "one"), ("end", "e")]]
    assert words.batches == [["one two"]]
    assert [tag.backend.name for tag in find_trainable(plan) if tag.backend] == ["word", "last"]


def test_what_a_user_draws_is_answered_at_once() -> None:
    plan = routed(made(OtherWord, BOTH), made(LastLetter, BOTH), xml=BOTH)
    assert found(plan, "abc", context={"result": []}) == [[("end", "c")]]


def test_what_answers_a_user_prompts_it_too() -> None:
    class Answering(OtherWord):
        interactive = True

    plan = routed(made(Answering, ENDS_ALONE), made(LastLetter, ENDS_ALONE), xml=ENDS_ALONE)
    assert found(plan, "a bcd", context={"result": []}) == [[("end", "a")]]


def test_nothing_found_is_an_answer() -> None:
    class Nothing(OtherWord):
        def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
            return ()

    plan = routed(made(Nothing, BOTH), made(LastLetter, BOTH), xml=BOTH)
    assert found(plan, "one") == [[]]


def test_alone_it_answers_what_is_drawn_and_says_what_is_missing() -> None:
    plan = routed(made(LastLetter, BOTH), xml=BOTH)
    assert found(plan, "abc", context={"result": []}) == [[("end", "c")]]
    assert error_of(plan) == "last fills only what is clicked or drawn"
    assert (
        'Labels "end" gets what last makes of Labels "word", which nothing that serves here fills'
        in plan.problems
    )


@pytest.mark.parametrize("xml", [BOTH, ENDS_ALONE])
def test_what_prompts_it_cannot_be_filled(xml: str) -> None:
    plan = routed(made(NoWord, xml), made(LastLetter, xml), xml=xml)
    assert error_of(plan) == "No word is known"


@pytest.mark.parametrize("xml", [BOTH, ENDS_ALONE])
def test_a_model_that_prompts_it_cannot_be_loaded(xml: str) -> None:
    plan = routed(made(BrokenBackend, xml), made(LastLetter, xml), xml=xml)
    assert error_of(plan) == "weights.bin was not found in MODEL_DIR"


def test_without_its_own_model_the_others_still_fill_their_tags() -> None:
    plan = routed(made(OtherWord, BOTH), made(BrokenLast, BOTH), xml=BOTH)
    assert found(plan, "one two") == [[("word", "one")]]
    alone = routed(made(OtherWord, ENDS_ALONE), made(BrokenLast, ENDS_ALONE), xml=ENDS_ALONE)
    assert error_of(alone) == "weights.bin was not found in MODEL_DIR"


def test_a_task_that_fails_in_the_second_step_costs_itself() -> None:
    class Failing(LastLetter):
        def read_prompted(self, task: Task, claim: Claim, regions: Sequence[ParsedRegion]) -> Any:
            if task.text_value(claim.object) == "bad":
                raise TimeoutError("/secret/path")
            return super().read_prompted(task, claim, regions)

    plan = routed(made(OtherWord, BOTH), made(Failing, BOTH), xml=BOTH)
    outcomes = list(runtime().pipeline.run(plan, tasks("bad", "good")))
    assert str(outcomes[0].error) == "word+last failed on this task: TimeoutError"
    assert outcomes[1].prediction is not None


def test_labels_of_a_task_reach_the_tag_that_stands_in() -> None:
    xml = config('<Labels name="end" toName="text" last="true" value="$labels"/>')
    plan = routed(made(OtherWord, xml), made(LastLetter, xml), xml=xml)
    task = {"id": 1, "data": {"text": "one two", "labels": [{"value": "Word"}]}}
    [outcome] = runtime().pipeline.run(plan, [task])
    assert outcome.prediction is not None, outcome.error
    assert [one["value"]["text"] for one in outcome.prediction.results] == ["e"]

"""A task's score: of the regions' scores, as the label config or the setting says."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from shared.backend.claim import Claim
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TASK_SCORES, Prediction, task_score
from shared.results import TextSpan, region
from shared.results.region import Region
from shared.settings import changed_environment
from tests.tiny import WordBackend, made

TEXT = '<Text name="text" value="$text"/>'
LABELS = '<Labels name="{0}" toName="text" {1}><Label value="Word"/></Labels>'


def page(*tags: str) -> str:
    return f"<View>{TEXT}{''.join(tags)}</View>"


CONFIG = LabelConfig.parse(page(LABELS.format("label", "")))


def regions(scores: Sequence[float | None]) -> list[Region]:
    control, text = CONFIG.controls[0], "a b c d e f"
    return [
        region(TextSpan(2 * place, 2 * place + 1), {control: ["Word"]}, text, score)
        for place, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.9, 0.6, 0.3), {"mean": 0.6, "min": 0.3, "max": 0.9, "margin": 0.2}),
        ((0.5,), {"mean": 0.5, "min": 0.5, "max": 0.5, "margin": 0}),
        ((1, 0), {"mean": 0.5, "min": 0, "max": 1, "margin": 1}),
        ((0.8, None), {"mean": 0.8, "min": 0.8, "max": 0.8, "margin": 0.6}),
        ((0, 0), {"mean": 0, "min": 0, "max": 0, "margin": 1}),
        ((None,), dict.fromkeys(TASK_SCORES)),
        ((), dict.fromkeys(TASK_SCORES)),
    ],
    ids=["three", "undecided", "decided", "one without", "nothing sure", "none", "no region"],
)
def test_score_of_regions(
    scores: Sequence[float | None], expected: dict[str, float | None]
) -> None:
    found = {mode: task_score(regions(scores), mode) for mode in TASK_SCORES}
    assert found == pytest.approx(expected)
    for mode, score in expected.items():
        prediction = Prediction.build(regions(scores), CONFIG, "v", mode)
        assert prediction.to_json().get("score") == pytest.approx(score)
        assert ("score" in prediction.to_json()) == (score is not None)
        assert [r.get("score") for r in prediction.results] == list(scores), "regions keep theirs"


class UnevenBackend(WordBackend):
    """Surer of some tags than of others."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        score = {"l0": 0.9, "l1": 0.6}[claim.control.name]
        yield region(TextSpan(0, 1), {claim.control: ["Word"]}, output, score)


def built(*tags: str) -> PredictionPlan:
    xml = page(*tags)
    return runtime.runtime().planner.plan(LabelConfig.parse(xml), [made(UnevenBackend, xml)])


@pytest.mark.parametrize(
    ("attributes", "setting", "expected"),
    [
        (("", ""), "mean", "mean"),
        (("", ""), "min", "min"),
        (('model_task_score="max"', ""), "min", "max"),
        (("", 'model_task_score="margin"'), "min", "margin"),
        (('model_task_score="min"', 'model_task_score="max"'), "mean", "min"),
        (('model_task_score=" "', ""), "max", "max"),
    ],
)
def test_tag_comes_before_the_setting(
    attributes: tuple[str, str], setting: str, expected: str
) -> None:
    with changed_environment({"TASK_SCORE": setting}):
        runtime.reset_runtime()
        route = built(*(LABELS.format(f"l{n}", attrs) for n, attrs in enumerate(attributes)))
        [outcome] = runtime.runtime().pipeline.run(route, [{"id": 1, "data": {"text": "ab c"}}])
        runtime.reset_runtime()
    assert route.score_mode == expected
    assert outcome.prediction is not None
    assert (
        outcome.prediction.score == {"mean": 0.75, "min": 0.6, "max": 0.9, "margin": 0.2}[expected]
    )


def test_another_score_is_another_version() -> None:
    versions = {
        built(LABELS.format("l", f'model_task_score="{mode}"')).version(wait=True)
        for mode in TASK_SCORES
    }
    assert len(versions) == len(TASK_SCORES)


def test_unknown_score_is_named() -> None:
    route = built(LABELS.format("l", 'model_task_score="least"'))
    assert route.score_mode == "mean"
    assert (
        'Labels "l": model_task_score="least" should be one of mean, min, max, margin'
        in route.problems
    )

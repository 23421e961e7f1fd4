import random
import sys
from typing import Any

import pytest

from shared.evaluation.metrics.span_metric import SpanMetric
from shared.evaluation.metrics.span_schemes import MIN_PYTHON, SpanSchemes
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.results import AudioSpan, Dialogue, ParagraphSpan, ParsedRegion, TextSpan
from shared.results.video import TimelineSpan
from tests.evaluation.cases import Case, Said, evaluate, without_intervals

LABELS = "<Label value='PER'/><Label value='ORG'/><Label value='LOC'/>"
TEXT = f"<View><Text name='t' value='$t'/><Labels name='c' toName='t'>{LABELS}</Labels></View>"
AUDIO = f"<View><Audio name='t' value='$t'/><Labels name='c' toName='t'>{LABELS}</Labels></View>"
VIDEO = (
    "<View><Video name='t' value='$t'/><TimelineLabels name='c' toName='t'>"
    f"{LABELS}</TimelineLabels></View>"
)
PARAGRAPHS = (
    "<View><Paragraphs name='t' value='$t'/><ParagraphLabels name='c' toName='t'>"
    f"{LABELS}</ParagraphLabels></View>"
)
needs_nervaluate = pytest.mark.skipif(
    sys.version_info < MIN_PYTHON, reason="nervaluate needs Python 3.11"
)


def span(start: int, end: int, *labels: str, score: float | None = None) -> Said:
    return Said(list(labels), TextSpan(start, end), score)


def seconds(start: float, end: float, label: str, score: float | None = None) -> Said:
    return Said([label], AudioSpan(start, end), score)


# Task 0: PER is hit; ORG is missed, and LOC invented at its place. Task 1: an offset is wrong.
# Task 2: nothing is true or predicted.
SMALL: list[Case] = [
    ([span(0, 5, "PER"), span(10, 14, "ORG")], [span(0, 5, "PER"), span(10, 14, "LOC")]),
    ([span(3, 9, "PER")], [span(3, 8, "PER"), span(20, 22, "ORG")]),
    ([], []),
]


def test_figures_of_a_small_set() -> None:
    figures = without_intervals(evaluate(TEXT, SMALL).figures)
    figures.pop("schemes", None)
    # 1 hit of 3 true and 4 predicted spans: F1 = 2 × 1 / (3 + 4).
    assert figures == {
        "tasks": 3,
        "regions": {"truth": 3, "predicted": 4},
        "precision": pytest.approx(1 / 4, abs=1e-9),
        "recall": pytest.approx(1 / 3, abs=1e-9),
        "f1": pytest.approx(2 / 7, abs=1e-9),
        "labels": {
            "LOC": {
                "tasks": 1,
                "regions": {"truth": 0, "predicted": 1},
                "precision": 0.0,
                "f1": 0.0,
            },
            "ORG": {
                "tasks": 2,
                "regions": {"truth": 1, "predicted": 1},
                "precision": 0.0,
                "recall": 0.0,
                "f1": 0.0,
            },
            "PER": {
                "tasks": 2,
                "regions": {"truth": 2, "predicted": 2},
                "precision": 0.5,
                "recall": 0.5,
                "f1": 0.5,
            },
        },
    }


def test_outcomes_of_a_small_set() -> None:
    outcomes = evaluate(TEXT, SMALL).outcomes
    counts = [(len(one.hits), len(one.misses), len(one.inventions)) for one in outcomes]
    assert counts == [(1, 1, 1), (0, 1, 2), (0, 0, 0)]
    assert [one.score for one in outcomes] == [0.5, 0.0, None]


def test_every_figure_has_an_interval_around_it() -> None:
    cases = [SMALL[number % 2] for number in range(40)]
    figures = evaluate(TEXT, cases).figures
    for part in (figures, figures["labels"]["PER"], figures["schemes"]["partial"]):
        assert part["interval"].keys() == {"precision", "recall", "f1"}
        for name, (low, high) in part["interval"].items():
            assert low <= part[name] <= high
            assert high - low < 0.4


@needs_nervaluate
def test_schemes_of_a_small_set() -> None:
    schemes = without_intervals(evaluate(TEXT, SMALL).figures)["schemes"]
    counts = ("correct", "incorrect", "partial", "missed", "spurious")
    # Of three pairs that overlap, one is right, one has a wrong label, one has a wrong end.
    assert {name: [one[key] for key in counts] for name, one in schemes.items()} == {
        "strict": [1, 2, 0, 0, 1],
        "exact": [2, 1, 0, 0, 1],
        "partial": [2, 0, 1, 0, 1],
        "ent_type": [2, 1, 0, 0, 1],
    }
    assert schemes["partial"]["precision"] == pytest.approx(2.5 / 4, abs=1e-9)
    assert schemes["partial"]["recall"] == pytest.approx(2.5 / 3, abs=1e-9)
    assert schemes["partial"]["f1"] == pytest.approx(5 / 7, abs=1e-9)


@needs_nervaluate
def test_schemes_equal_nervaluate_run_on_all_documents_at_once() -> None:
    from nervaluate import Evaluator

    cases = list(random_cases(400))
    schemes = without_intervals(evaluate(TEXT, cases).figures)["schemes"]
    documents = ([sorted_entities(side) for side in sides] for sides in zip(*cases, strict=True))
    truth, predicted = documents
    whole = Evaluator(truth, predicted, ["PER", "ORG", "LOC"], "dict").evaluate()["overall"]
    for name, scheme in schemes.items():
        expected = {key: getattr(whole[name], key) for key in scheme}
        assert scheme == pytest.approx(expected, abs=1e-9), name


@needs_nervaluate
@pytest.mark.parametrize(
    ("truth", "predicted", "strict"),
    [
        ([(0, 9), (0, 4)], [(0, 4)], [1, 0, 1, 0]),
        ([(0, 9)], [(0, 4), (5, 9)], [0, 1, 0, 1]),
        ([(0, 9)], [(0, 4), (0, 9)], [0, 1, 0, 1]),
        ([(0, 4)], [(4, 8)], [0, 0, 1, 1]),
    ],
    ids=["nested", "two parts of one", "an inexact one comes first", "side by side"],
)
def test_schemes_of_spans_that_overlap(
    truth: list[tuple[int, int]], predicted: list[tuple[int, int]], strict: list[int]
) -> None:
    """What nervaluate does, which its documentation leaves open.

    Its README calls a prediction spurious if no true span is like it, and one with another
    boundary incorrect. A true span is used once, by the first prediction that overlaps it, even
    if a later one is exact; our own F1 finds the exact one in any order.
    """
    case = ([span(*ends, "PER") for ends in truth], [span(*ends, "PER") for ends in predicted])
    figures = evaluate(TEXT, [case]).figures
    found = figures["schemes"]["strict"]
    assert [found[key] for key in ("correct", "incorrect", "missed", "spurious")] == strict
    exact = len(set(truth) & set(predicted))
    assert figures["precision"] == exact / len(predicted)


@needs_nervaluate
def test_long_documents_cost_little() -> None:
    spans = [span(9 * number, 9 * number + 5, "PER") for number in range(3000)]
    schemes = evaluate(TEXT, [(spans, spans[::2])]).figures["schemes"]
    assert [schemes["strict"][key] for key in ("correct", "missed")] == [1500, 1500]


def test_nested_and_equal_spans_match_one_to_one() -> None:
    truth = [span(0, 9, "ORG"), span(0, 9, "LOC"), span(0, 9, "LOC"), span(2, 5, "LOC")]
    predicted = [span(2, 5, "LOC"), span(0, 9, "LOC"), span(0, 9, "ORG"), span(2, 5, "LOC")]
    figures = evaluate(TEXT, [(truth, predicted)]).figures
    assert (figures["precision"], figures["recall"]) == (3 / 4, 3 / 4)


def test_span_with_several_labels_counts_once_for_each() -> None:
    case = ([span(0, 4, "PER", "ORG")], [span(0, 4, "ORG"), span(0, 4, "LOC", "LOC")])
    evaluated = evaluate(TEXT, [case])
    assert evaluated.figures["regions"] == {"truth": 2, "predicted": 2}
    assert (evaluated.figures["precision"], evaluated.figures["recall"]) == (1 / 2, 1 / 2)
    assert [len(evaluated.outcomes[0].misses), len(evaluated.outcomes[0].inventions)] == [1, 1]


def test_span_without_labels_counts_overall_only() -> None:
    figures = evaluate(TEXT, [([span(0, 4)], [span(0, 4)])]).figures
    assert figures["f1"] == 1
    assert "labels" not in figures


def test_scores_tell_hits_from_inventions() -> None:
    predicted = [
        span(0, 5, "PER", score=0.4),
        span(0, 5, "PER", score=0.9),
        span(7, 9, "PER", score=0.7),
        span(7, 9, "ORG"),
    ]
    scored = evaluate(TEXT, [([span(0, 5, "PER")], predicted)]).metric.scored()
    assert sorted(zip(scored["PER"].scores, scored["PER"].hits, strict=True)) == [
        (0.4, False),
        (0.7, False),
        (0.9, True),
    ]
    assert scored["PER"].truths == 1
    assert len(scored["ORG"].scores) == 0


def test_without_scores_nothing_is_scored() -> None:
    assert evaluate(TEXT, SMALL).metric.scored() == {}


def test_without_spans_there_are_no_figures() -> None:
    empty = {"regions": {"truth": 0, "predicted": 0}}
    assert evaluate(TEXT, [([], []), ([], [])]).figures == {"tasks": 2, **empty}
    assert evaluate(TEXT, []).figures == {"tasks": 0, **empty}


DIALOGUE = Dialogue(("Hello", "", "I am Ann"))


@needs_nervaluate
def test_spans_of_different_paragraphs_are_different() -> None:
    truth = [Said(["PER"], ParagraphSpan(0, 0, 5), source=DIALOGUE)]
    predicted = [
        Said(["PER"], ParagraphSpan(2, 0, 5), source=DIALOGUE),
        Said(["PER"], ParagraphSpan(0, 3, 4, 2), source=DIALOGUE),
    ]
    figures = without_intervals(evaluate(PARAGRAPHS, [(truth, predicted)]).figures)
    assert (figures["precision"], figures["recall"]) == (0, 0)
    partial = figures["schemes"]["partial"]
    assert [partial[key] for key in ("partial", "spurious", "missed")] == [1, 1, 0]


def test_spans_of_different_object_tags_are_different() -> None:
    config = LabelConfig.parse(
        "<View><Text name='a' value='$a'/><Text name='b' value='$b'/>"
        f"<Labels name='c' toName='a,b'>{LABELS}</Labels></View>"
    )
    control = config.find_control("c")
    on_a, on_b = (
        ParsedRegion("", TextSpan(0, 3), {control.on_object(name): ["PER"]}) for name in "ab"
    )
    metric = SpanMetric(control)
    assert metric.add(0, [on_a], [on_b]).score == 0
    assert metric.add(1, [on_a, on_b], [on_b, on_a]).score == 1


def test_zero_length_spans_cost_nothing() -> None:
    case = ([span(4, 4, "PER"), span(2, 8, "ORG")], [span(4, 4, "PER"), span(3, 8, "ORG")])
    assert evaluate(TEXT, [case]).figures["f1"] == 0.5


def test_python_without_nervaluate_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = ProblemLog()
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    assert SpanSchemes.load(problems) is None
    assert SpanSchemes.load(problems) is None
    (problem,) = problems
    assert "nervaluate" in str(problem)
    assert "3.11" in str(problem)


# 0: IoU 8/10; 1: 4/9 is too little; 2: the wrong label.
TIMES: list[Case] = [
    ([seconds(0, 10, "PER")], [seconds(1, 9, "PER")]),
    ([seconds(0, 6, "PER"), seconds(9, 10, "ORG")], [seconds(2, 9, "PER"), seconds(9, 10, "PER")]),
]


def test_figures_of_times() -> None:
    figures = without_intervals(evaluate(AUDIO, TIMES).figures)
    # 1 hit of 3 true and 3 predicted spans; its IoU is 0.8.
    assert {key: figures[key] for key in ("precision", "recall", "f1", "mean_iou")} == {
        "precision": pytest.approx(1 / 3, abs=1e-9),
        "recall": pytest.approx(1 / 3, abs=1e-9),
        "f1": pytest.approx(1 / 3, abs=1e-9),
        "mean_iou": pytest.approx(0.8, abs=1e-9),
    }
    assert figures["labels"]["PER"]["recall"] == 1 / 2
    assert "mean_iou" not in figures["labels"]["ORG"]


def test_the_highest_score_chooses_first() -> None:
    truth = [seconds(0, 10, "PER")]
    predicted = [seconds(0, 10, "PER", 0.3), seconds(0, 8, "PER", 0.9)]
    evaluated = evaluate(AUDIO, [(truth, predicted)])
    assert evaluated.figures["mean_iou"] == pytest.approx(0.8, abs=1e-9)
    assert evaluated.outcomes[0].hits[0].predicted.score == 0.9


def test_frames_of_timelines_overlap() -> None:
    truth, predicted = Said(["PER"], TimelineSpan(0, 10)), Said(["PER"], TimelineSpan(5, 10))
    figures = evaluate(VIDEO, [([truth], [predicted])]).figures
    assert (figures["f1"], figures["mean_iou"]) == (1, 0.5)  # 5 of 10 frames


def random_cases(count: int) -> list[Case]:
    generator = random.Random(0)

    def some() -> list[Said]:
        found = []
        for _ in range(generator.randrange(6)):
            start = generator.randrange(30)
            label = generator.choice(("PER", "ORG", "LOC"))
            found.append(span(start, start + generator.randrange(1, 9), label))
        return found

    cases = []
    for _ in range(count):
        truth = some()
        kept = [one for one in truth if generator.random() < 0.6]
        cases.append((truth, kept + some()))
    return cases


def sorted_entities(said: Any) -> list[dict[str, Any]]:
    """Return spans as nervaluate's dictionaries, in the order of their offsets."""
    spans = sorted((one.shape.start, one.shape.end, one.value[0]) for one in said)
    return [{"start": start, "end": end - 1, "label": label} for start, end, label in spans]

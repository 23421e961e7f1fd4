import random
from typing import Any

import pytest

from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.image_size import ImageSize
from shared.results import Rectangle, whole_task
from tests.evaluation.cases import Case, Said, evaluate, without_intervals
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task

WHOLE = "<View><Text name='t' value='$t'/><TextArea name='c' toName='t'/></View>"
OCR = (
    "<View><Image name='t' value='$t'/><Rectangle name='box' toName='t'/>"
    "<TextArea name='c' toName='t' perRegion='true'/></View>"
)
SIZE = ImageSize(100, 100)


def texts(*written: str) -> list[Said]:
    return [Said(list(written))]


def test_figures_of_a_small_set() -> None:
    cases: list[Case] = [
        (texts("a red car"), texts("a red cat")),  # 1 of 9 characters, 1 of 3 words
        (texts("one", "two"), texts("one")),  # 3 of 6 characters, 1 of 2 words
        (texts("same"), texts("same")),  # none of 4 and 1
        ([], texts("new")),  # 3 of 0, 1 of 0
        (texts("lost it"), []),  # 7 of 7, 2 of 2
        ([], []),
    ]
    evaluated = evaluate(WHOLE, cases)
    assert without_intervals(evaluated.figures) == {
        "tasks": 5,
        "regions": {"truth": 5, "predicted": 4},
        "cer": pytest.approx((1 + 3 + 0 + 3 + 7) / (9 + 6 + 4 + 7), abs=1e-9),
        "wer": pytest.approx((1 + 1 + 0 + 1 + 2) / (3 + 2 + 1 + 2), abs=1e-9),
    }
    scores = [one.score for one in evaluated.outcomes]
    assert scores[:5] == pytest.approx([8 / 9, 1 / 2, 1, 0, 0], abs=1e-9)
    assert scores[5] is None
    counts = [(len(one.hits), len(one.misses), len(one.inventions)) for one in evaluated.outcomes]
    assert counts == [(0, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 0)]
    assert evaluated.metric.scored() == {}


def test_rates_equal_those_of_jiwer_over_all_texts() -> None:
    jiwer = pytest.importorskip("jiwer")
    generator = random.Random(0)
    words = ["über", "straße", "die", "katze", "saß", "auf", "e\u0301", "🚗"]
    pairs = [
        tuple(" ".join(generator.choices(words, k=generator.randrange(1, 9))) for _ in range(2))
        for _ in range(200)
    ]
    figures = evaluate(WHOLE, [(texts(true), texts(got)) for true, got in pairs]).figures
    true, got = (list(side) for side in zip(*pairs, strict=True))
    assert figures["cer"] == pytest.approx(jiwer.cer(true, got), abs=1e-9)
    assert figures["wer"] == pytest.approx(jiwer.wer(true, got), abs=1e-9)
    for name in ("cer", "wer"):
        low, high = figures["interval"][name]
        assert low < figures[name] < high


def test_texts_of_regions_are_compared_at_the_same_place() -> None:
    def line(x: int, text: str) -> Said:
        return Said([text], Rectangle(x, 0, 20, 10), None, SIZE)

    truth = [line(0, "TOTAL"), line(30, "12.50"), line(60, "EUR")]
    predicted = [line(31, "12.60"), line(1, "TOTAL"), line(80, "x")]
    evaluated = evaluate(OCR, [(truth, predicted)])
    # One character is wrong, three are missed with their box, one is invented.
    assert evaluated.figures["cer"] == pytest.approx(5 / 13, abs=1e-9)
    assert evaluated.figures["wer"] == pytest.approx(3 / 3, abs=1e-9)
    (outcome,) = evaluated.outcomes
    assert [len(outcome.hits), len(outcome.misses), len(outcome.inventions)] == [1, 2, 2]
    assert outcome.score == pytest.approx(8 / 13, abs=1e-9)


@pytest.mark.parametrize(
    ("true", "predicted", "cer"),
    [
        (["a  b"], ["a b"], 1 / 4),
        ([" ab "], ["ab"], 0),
        (["ab", ""], ["", "ab"], 0),
        ("ab", ["ab"], 0),
        (["ab"], [None], 1),
        (["12"], [12], 0),
        (["ab"], ["xyzzy"], 5 / 2),
        ([""], ["new"], None),
    ],
    ids=[
        "space between",
        "space around",
        "empty texts",
        "a text alone",
        "null",
        "a number",
        "more errors than characters",
        "no true text",
    ],
)
def test_edges(true: Any, predicted: Any, cer: float | None) -> None:
    evaluated = evaluate(WHOLE, [([Said(true)], [Said(predicted)])])
    assert evaluated.figures.get("cer") == (None if cer is None else pytest.approx(cer, abs=1e-9))
    assert 0 <= evaluated.outcomes[0].score <= 1


def test_results_of_one_text_each_keep_their_order() -> None:
    case = (texts("one", "two"), [Said(["one"]), Said(["two"])])
    assert evaluate(WHOLE, [case]).figures["cer"] == 0


def test_nothing_to_compare() -> None:
    empty = {"tasks": 0, "regions": {"truth": 0, "predicted": 0}}
    assert evaluate(WHOLE, []).figures == empty
    assert evaluate(WHOLE, [([], []), (texts(""), texts(" "))]).figures == empty


def test_texts_that_would_take_minutes_are_named_and_not_compared() -> None:
    problems = ProblemLog()
    config = LabelConfig.parse(WHOLE)
    evaluation = Evaluation(config, problems=problems)
    for number, (true, written) in enumerate([("a" * 60_000, "b" * 60_000), ("one", "on")]):
        answers = [[whole_task(config.controls[0], text)] for text in (true, written)]
        raw = raw_task({"t": "x"}, [annotation(answers[0])], [prediction(answers[1])], number)
        evaluation.add(read_task(raw, config))
    figures = evaluation.report()["versions"]["v1"]["controls"]["c"]
    assert figures["cer"] == pytest.approx(1 / 3)
    assert [str(problem) for problem in problems] == [
        'texts of TextArea "c" over 50,000 characters that differ are not compared'
    ]

import numpy as np
import pytest

from shared.evaluation.metrics.metric import ScoredPredictions
from shared.evaluation.thresholds import (
    OperatingPoint,
    Threshold,
    config_with_thresholds,
    conflicting_attributes,
    find_operating_point,
    format_threshold,
    precision_recall_curve,
    round_threshold,
    suggest_thresholds,
)
from shared.label_studio.label_config import LabelConfig
from tests.evaluation.gallery import GALLERY, evaluate
from tests.evaluation.same_id_metric import SameId


def scored(pairs: str, truths: int) -> ScoredPredictions:
    """Read predictions such as "0.9+ 0.8-": a score, and whether it is right."""
    parts = pairs.split()
    return ScoredPredictions(
        np.array([float(part[:-1]) for part in parts]),
        np.array([part[-1] == "+" for part in parts], bool),
        truths,
    )


@pytest.mark.parametrize(
    ("pairs", "truths", "precision", "expected"),
    [
        # After 0.9: P 1/1, R 1/4; 0.8: 2/2, 2/4; 0.7: 2/3, 2/4; 0.6: 3/4, 3/4, F1 0.75;
        # 0.5: 3/5, 3/4
        pytest.param("0.9+ 0.8+ 0.7- 0.6+ 0.5-", 4, None, (0.6, 3 / 4, 3 / 4, 4), id="best F1"),
        pytest.param("0.9+ 0.8+ 0.7- 0.6+ 0.5-", 4, 0.95, (0.8, 1, 2 / 4, 2), id="precision 0.95"),
        pytest.param("0.5- 0.6+ 0.9+ 0.7- 0.8+", 4, 0.75, (0.6, 3 / 4, 3 / 4, 4), id="any order"),
        # Precision falls under 0.6 at 0.8 (1/2) and rises again at 0.6 (3/4): more recall wins.
        pytest.param("0.9+ 0.8- 0.7+ 0.6+", 3, 0.7, (0.6, 3 / 4, 1, 4), id="falls and rises"),
        # Both at 0.8 pass or neither does: P 2/3 there, so 0.9 alone reaches 0.9.
        pytest.param("0.9+ 0.8+ 0.8-", 2, 0.9, (0.9, 1, 1 / 2, 1), id="equal scores"),
        pytest.param("0.3+ 0.2+", 2, 1.0, (0.2, 1, 1, 2), id="all are right"),
    ],
)
def test_operating_point(
    pairs: str, truths: int, precision: float | None, expected: tuple[float, float, float, int]
) -> None:
    point = find_operating_point(scored(pairs, truths), precision)
    assert point is not None
    assert (point.score, point.precision, point.recall, point.predicted) == pytest.approx(expected)
    p, r = expected[1:3]
    assert point.f1 == pytest.approx(2 * p * r / (p + r))
    assert point.truths == truths


@pytest.mark.parametrize(
    ("pairs", "truths"),
    [("", 3), ("0.9-", 0), ("0.9- 0.4-", 3)],
    ids=["no predictions", "no truth", "nothing right"],
)
def test_there_may_be_no_operating_point(pairs: str, truths: int) -> None:
    assert find_operating_point(scored(pairs, truths)) is None
    assert find_operating_point(scored(pairs, truths), 0.5) is None


def test_points_of_the_curve_are_those_of_distinct_scores() -> None:
    curve = precision_recall_curve(scored("0.5- 0.8+ 0.8- 0.9+", 4))
    assert curve.scores.tolist() == [0.9, 0.8, 0.5]
    assert curve.precision.tolist() == [1, 2 / 3, 2 / 4]
    assert curve.recall.tolist() == [1 / 4, 2 / 4, 2 / 4]
    assert curve.predicted.tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("score", "below", "expected"),
    [
        pytest.param(0.8371, 0.51, 0.83, id="two decimals suffice"),
        pytest.param(0.8371, 0.8365, 0.837, id="three are needed"),
        pytest.param(0.8371, 0.837, 0.8371, id="four are needed"),
        pytest.param(0.57, 0.2, 0.57, id="is 0.56 if it is rounded down as a float"),
        pytest.param(0.834, None, 0.83, id="the lowest score"),
        pytest.param(1.0, 0.999, 1.0, id="one"),
        pytest.param(0.1 + 0.2, 0.3, 0.1 + 0.2, id="a float apart"),
    ],
)
def test_threshold_is_the_shortest_that_divides(
    score: float, below: float | None, expected: float
) -> None:
    found = round_threshold(score, below)
    assert found == expected
    assert found <= score
    assert below is None or found > below


def test_what_an_attribute_holds_has_no_exponent() -> None:
    assert format_threshold(1e-05) == "0.00001"
    assert format_threshold(0.5) == "0.5"
    assert format_threshold(1.0) == "1"


def test_control_tags_get_thresholds_and_so_do_their_labels() -> None:
    _, evaluated, _ = evaluate(GALLERY)
    found = {(one.control, one.label): one for one in suggest_thresholds(evaluated.metrics)}
    # Of the entities one of three is right: Ada (PER, 0.9), before LOC 0.5 and ORG 0.4; 4 are true.
    whole = found["entity", None]
    assert whole.point == OperatingPoint(0.9, 1.0, 0.25, 0.4, 1, 4)
    assert found["entity", "PER"].point == OperatingPoint(0.9, 1.0, 1 / 3, 0.5, 1, 3)
    assert "lower threshold may be better" in found["entity", "PER"].note
    assert found["entity", "LOC"].point is None
    assert found["entity", "LOC"].note == "no prediction is right"
    assert found["point", "Lamp"].note == "no true regions"
    assert ("summary", None) not in found  # its predictions have no scores


def test_what_cannot_be_reached_is_said() -> None:
    [whole] = suggest_thresholds({"box": FixedMetric(scored("0.9- 0.8+", 2))}, 0.95)
    assert whole.point is None
    assert whole.note == "precision 0.95 is not reached: the best is 0.500"


class FixedMetric(SameId):
    """A metric whose scored predictions are given."""

    def __init__(self, one: ScoredPredictions) -> None:
        self._one = one

    def scored(self) -> dict[str, ScoredPredictions]:
        return {"": self._one}


CONFIG = """<View>
  <!-- ours: <RectangleLabels name="box" toName="i"/> -->
  <Image name="i" value="$i"/>
  <RectangleLabels name="box" toName="i" model_score_threshold='0.25'>
    <Label value="Car"/>
  </RectangleLabels>
  <KeyPointLabels name="point" toName="i" model_conf="0.9"><Label value="Lamp"/></KeyPointLabels>
  <Choices name="kind" toName="i"><Choice value="a"/></Choices>
</View>"""


def test_label_config_with_thresholds_differs_in_nothing_else() -> None:
    config = LabelConfig.parse(CONFIG)
    point = OperatingPoint(0.63, 1, 1, 1, 1, 1)
    thresholds = [
        Threshold("box", None, point),
        Threshold("box", "Car", point._replace(score=0.1)),
        Threshold("point", None, point),
        Threshold("kind", None, None, "no predictions with a score"),
    ]
    expected = CONFIG.replace("'0.25'", "'0.63'").replace(
        'model_conf="0.9"', 'model_conf="0.9" model_score_threshold="0.63"'
    )
    made = config_with_thresholds(config, thresholds)
    assert made == expected
    box = LabelConfig.parse(made).find_control("box")
    assert box is not None
    assert box.get_number("model_score_threshold", 0, 0, 1) == 0.63
    [note] = conflicting_attributes(config, thresholds)
    assert 'KeyPointLabels "point" has model_conf="0.9"' in note

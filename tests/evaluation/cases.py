"""Cases of metrics: what is true and what is predicted, written in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.metrics.choose import create_metric
from shared.evaluation.metrics.metric import Metric, Outcome
from shared.label_studio.label_config import LabelConfig
from shared.results import ParsedRegion
from shared.results.whole_task import WholeTask


class Said(NamedTuple):
    """What a control tag says: its value, where, and with which score."""

    value: Any
    shape: Any = WholeTask()
    score: float | None = None
    source: Any = None
    keys: Mapping[str, Any] = {}


Case = tuple[Sequence[Said], Sequence[Said]]


class Evaluated(NamedTuple):
    """A metric that has seen some cases, what it said of each, and its figures."""

    metric: Metric
    outcomes: Sequence[Outcome]
    figures: dict[str, Any]


def evaluate(config: str, cases: Sequence[Case], name: str = "c") -> Evaluated:
    """Compare cases (truth, predicted) by the control tag of a name."""
    parsed = LabelConfig.parse(config)
    control = parsed.find_control(name)
    metric = create_metric(control, parsed.object_of(control))
    outcomes = [
        metric.add(number, _regions(control, truth), _regions(control, predicted))
        for number, (truth, predicted) in enumerate(cases)
    ]
    return Evaluated(metric, outcomes, metric.figures(Bootstrap(len(cases))))


def without_intervals(figures: Any) -> Any:
    """Return figures without their intervals, at any depth."""
    if not isinstance(figures, dict):
        return figures
    return {key: without_intervals(one) for key, one in figures.items() if key != "interval"}


def _regions(control: Any, said: Sequence[Said]) -> list[ParsedRegion]:
    return [
        ParsedRegion("", one.shape, {control: one.value}, one.source, one.score, one.keys)
        for one in said
    ]

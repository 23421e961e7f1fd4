"""Which metric a control tag has."""

from collections.abc import Callable, Mapping

from shared.evaluation.metrics.class_metric import ClassMetric
from shared.evaluation.metrics.interval_metric import IntervalMetric
from shared.evaluation.metrics.metric import Metric
from shared.evaluation.metrics.number_metric import NumberMetric
from shared.evaluation.metrics.ranking_metric import RankingMetric
from shared.evaluation.metrics.span_metric import SpanMetric
from shared.evaluation.metrics.text_metric import TextMetric
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import Control, ObjectTag

# Control tags whose values count, wherever they lie.
VALUE_METRICS: Mapping[str, Callable[[Control], Metric]] = {
    "Choices": ClassMetric,
    "Taxonomy": ClassMetric,
    "Pairwise": ClassMetric,
    "DateTime": ClassMetric,
    "Rating": NumberMetric,
    "Number": NumberMetric,
    "Ranker": RankingMetric,
}

TEXT_OBJECTS = frozenset(("Text", "HyperText", "Paragraphs"))
TIME_OBJECTS = frozenset(("Audio", "AudioPlus", "TimeSeries"))


def create_metric(
    control: Control, target: ObjectTag | None, problems: ProblemLog | None = None
) -> Metric:
    """Return a new metric for a control tag on an object tag.

    What draws on an object tag other than texts, recordings, series and videos has the metric of
    shapes on images, as their results are read as these. `problems` gets what cannot be told.
    SettingError if a library is missing.
    """
    if control.tag in {"TextArea", "Chat"}:
        return TextMetric(control, problems)
    if control.tag in VALUE_METRICS:
        return VALUE_METRICS[control.tag](control)
    tag = target.tag if target is not None else ""
    if tag in TEXT_OBJECTS:
        return SpanMetric(control, problems)
    if tag in TIME_OBJECTS or control.tag == "TimelineLabels":
        return IntervalMetric(control)
    if tag == "Video":
        from shared.evaluation.metrics.track_metric import TrackMetric

        return TrackMetric(control, target, problems)
    from shared.evaluation.metrics.region_metric import RegionMetric

    return RegionMetric(control, target)

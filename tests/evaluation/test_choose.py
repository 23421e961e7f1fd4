import orjson
import pytest

from shared.evaluation.evaluation import Evaluation
from shared.evaluation.metrics.choose import create_metric
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task

# What the figures are where everything agrees.
BEST = {
    "precision": 1,
    "recall": 1,
    "f1": 1,
    "accuracy": 1,
    "mae": 0,
    "tau": 1,
    "hota": 1,
    "idf1": 1,
    "cer": 0,
    "wer": 0,
}
VALUES = {
    "Choices": "ClassMetric",
    "Taxonomy": "ClassMetric",
    "Pairwise": "ClassMetric",
    "DateTime": "ClassMetric",
    "Rating": "NumberMetric",
    "Number": "NumberMetric",
    "Ranker": "RankingMetric",
    "TextArea": "TextMetric",
}


@pytest.mark.parametrize(
    ("target", "control", "expected"),
    [
        ("Text", "Labels", "SpanMetric"),
        ("HyperText", "HyperTextLabels", "SpanMetric"),
        ("HyperText", "Labels", "SpanMetric"),
        ("Paragraphs", "ParagraphLabels", "SpanMetric"),
        ("Audio", "Labels", "IntervalMetric"),
        ("TimeSeries", "TimeSeriesLabels", "IntervalMetric"),
        ("Video", "TimelineLabels", "IntervalMetric"),
        ("Video", "VideoRectangle", "TrackMetric"),
        ("Video", "Labels", "TrackMetric"),
        ("Image", "RectangleLabels", "RegionMetric"),
        ("Image", "Rectangle", "RegionMetric"),
        ("Image", "Labels", "RegionMetric"),
        ("Image", "BrushLabels", "RegionMetric"),
        *(("Image", tag, metric) for tag, metric in VALUES.items()),
        *(("Text", tag, metric) for tag, metric in VALUES.items()),
    ],
)
def test_metric_of_a_control_tag(target: str, control: str, expected: str) -> None:
    config = LabelConfig.parse(
        f"<View><{target} name='t' value='$t'/><{control} name='c' toName='t'/></View>"
    )
    (found,) = config.controls
    assert type(create_metric(found, config.object_of(found))).__name__ == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_builders_make_agrees_with_itself(row: Row) -> None:
    """Every control tag has a metric, and it finds each region of its own in an equal answer."""
    scene = SCENES[row.scene]
    built = [one for one in row.regions() if one.results[0]["type"] != "relation"]
    raw = raw_task(scene.data(), [annotation(built)], [prediction(built)])
    evaluation = Evaluation(LabelConfig.parse(scene.config))
    problems = ProblemLog()
    evaluation.add(read_task(raw, scene.config, problems))
    assert not list(problems)
    used = {result["from_name"] for one in built for result in one.results}
    controls = evaluation.report()["versions"]["v1"]["controls"]
    for name in used:
        figures = controls[name]
        best = [figures[key] for key in BEST if key in figures]
        assert best, figures
        assert best == pytest.approx([BEST[key] for key in BEST if key in figures])
        assert figures["regions"]["truth"] == figures["regions"]["predicted"] > 0
    orjson.dumps(controls)
    for name in controls.keys() - used:
        assert controls[name]["regions"] == {"truth": 0, "predicted": 0}

import pytest

from shared.evaluation.metrics.choose import create_metric
from shared.label_studio.label_config import LabelConfig

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

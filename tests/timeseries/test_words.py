"""Which method a label's words ask for."""

import pytest

from backends.timeseries.tag_request import TagRequest
from backends.timeseries.words import Method, label_methods, method_of_words
from shared.errors import ConfigError
from shared.label_studio.label_config import LabelConfig


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Spike", Method.spikes),
        ("Outliers", Method.spikes),
        ("Level shift", Method.changes),
        ("ChangePoint", Method.changes),
        ("change_point", Method.changes),
        ("Anomalous", Method.anomalies),
        ("Up", Method.rising),
        ("Update", None),
        ("Downtrend", None),
        ("Increasing", Method.rising),
        ("Dropout", Method.gaps),
        ("drop", Method.falling),
        ("Missing data", Method.gaps),
        ("Good", Method.good),
        ("Low quality", Method.poor),
        ("Noisy", Method.poor),
        ("predictable", Method.predictable),
        ("Run", None),
        ("Stepping", None),
        ("", None),
    ],
)
def test_words(text: str, expected: Method | None) -> None:
    assert method_of_words(text) is expected


def controls(inside: str, channel: str = "") -> list[object]:
    xml = (
        f'<View>{inside}<TimeSeries name="ts" value="$ts"><Channel column="v"/></TimeSeries></View>'
    )
    return list(LabelConfig.parse(xml).controls)


def labels(*tags: str, more: str = "", name: str = "label") -> str:
    return f'<TimeSeriesLabels name="{name}" toName="ts" {more}>{"".join(tags)}</TimeSeriesLabels>'


def test_model_method_comes_before_words() -> None:
    inside = labels('<Label value="Spike" model_method="gaps"/>', '<Label value="B"/>')
    assert label_methods(controls(inside)[0]) == {"Spike": Method.gaps}
    whole = labels('<Label value="A"/>', more='model_method="anomalies"')
    assert label_methods(controls(whole)[0]) == {"A": Method.anomalies}
    aliased = labels('<Label value="Event" alias="e1" predicted_values="spike"/>')
    assert label_methods(controls(aliased)[0]) == {"e1": Method.spikes}


def test_a_method_that_is_none_is_named() -> None:
    [control] = controls(labels('<Label value="A" model_method="magic"/>'))
    with pytest.raises(
        ConfigError, match='model_method="magic" should be one of spikes, anomalies'
    ):
        label_methods(control)


REGION = '<Label value="Region"/>'
CHOICES = (
    '<Choices name="what" toName="ts" perRegion="true"><Choice value="{}"/><Choice value="{}"/>'
    "</Choices>"
)
STARS = '<Rating name="stars" toName="ts" perRegion="true"/>'


@pytest.mark.parametrize(
    ("inside", "methods", "rates"),
    [
        (labels(REGION), (), False),
        (labels(REGION, name="predictable"), ("predictable",), False),
        ('<Header value="Mark the spikes"/>' + labels(REGION), ("spikes",), False),
        (labels(REGION) + CHOICES.format("Outlier", "Anomaly"), ("spikes", "anomalies"), False),
        (labels(REGION) + CHOICES.format("Good", "Poor") + STARS, ("good", "poor"), True),
        (labels(REGION) + STARS, (), False),
        (labels('<Label value="Run"/>', '<Label value="Walk"/>'), (), False),
        (labels('<Label value="Run"/>', '<Label value="Spike"/>'), ("spikes",), False),
    ],
)
def test_what_a_region_asks_for(inside: str, methods: tuple[str, ...], rates: bool) -> None:
    request = TagRequest.of_controls(controls(inside))
    assert tuple(method.value for method in request.methods) == methods
    assert request.rates is rates

"""The backend's regions, through the pipeline."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ruptures")

from backends.timeseries import TimeSeriesBackend
from backends.timeseries.settings import TimeSeriesSettings
from shared.pipeline import standalone
from shared.pipeline.runtime import reset_runtime, runtime

SERIES = '<TimeSeries name="ts" value="$ts" {}><Channel column="v"/></TimeSeries>'
NUMBERS, DATES = 'timeColumn="t"', 'timeColumn="t" timeFormat="%Y-%m-%d %H:%M:%S.%f"'


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    reset_runtime()
    yield
    reset_runtime()


def values(count: int = 300) -> np.ndarray:
    found = np.random.default_rng(0).normal(size=count)
    found[100] += 20
    return found


def columns(values: np.ndarray, dates: bool = False) -> dict[str, list[Any]]:
    minutes = range(len(values))
    times = [f"2024-03-04 {m // 60:02}:{m % 60:02}:00.500000" for m in minutes]
    return {"t": times if dates else [m * 2.5 for m in minutes], "v": values.tolist()}


def predict(inside: str, shown: Any, attributes: str = NUMBERS) -> Any:
    xml = f"<View>{inside}{SERIES.format(attributes)}</View>"
    backend = TimeSeriesBackend(label_config=xml, served=True)
    [answer] = standalone.predict(backend, [{"id": 1, "data": {"ts": shown}}])
    return answer


def labels(name: str, more: str = "") -> str:
    return (
        f'<TimeSeriesLabels name="label" toName="ts" {more}><Label value="{name}"/>'
        "</TimeSeriesLabels>"
    )


def choices(*names: str, more: str = "") -> str:
    inside = "".join(f'<Choice value="{name}"/>' for name in names)
    return f'<Choices name="choice" toName="ts" {more}>{inside}</Choices>'


@pytest.mark.parametrize(
    ("attributes", "time"),
    [
        pytest.param(NUMBERS, 250.0, id="numbers"),
        pytest.param(DATES, "2024-03-04 01:40:00.500000", id="dates"),
        pytest.param("", 100.0, id="rows"),
        pytest.param('timeFormat="%Y"', 100.0, id="rows, with a format"),
    ],
)
def test_an_instant_in_the_units_of_the_tag(attributes: str, time: Any) -> None:
    shown = columns(values(), attributes == DATES)
    [result] = predict(labels("Spike"), shown, attributes)["result"]
    assert result["value"] == {
        "start": time,
        "end": time,
        "instant": True,
        "timeserieslabels": ["Spike"],
    }
    assert 0.5 <= result["score"] <= 1


def test_a_span_ends_at_its_last_point() -> None:
    shown = values()
    shown[150:] += 10
    answer = predict(labels("Segment"), columns(shown))
    spans = [(one["value"]["start"], one["value"]["end"]) for one in answer["result"]]
    assert spans == [(0.0, 149 * 2.5), (375.0, 299 * 2.5)]


def test_what_is_said_of_each_region_stands_under_its_id() -> None:
    inside = labels("Region") + choices("Outlier", "Anomaly", more='perRegion="true"')
    first, second = predict(inside, columns(values()))["result"]
    assert first["id"] == second["id"]
    assert second["value"]["choices"] == ["Outlier"]


def test_quality_becomes_choices_and_stars() -> None:
    shown = np.sin(np.arange(900) / 8)
    shown[300:600] = np.random.default_rng(1).normal(size=300)
    inside = labels("Region") + choices("Good", "Medium", "Poor", more='perRegion="true"')
    inside += '<Rating name="stars" toName="ts" maxRating="10" perRegion="true"/>'
    results = predict(inside, columns(shown))["result"]
    assert [one["value"]["choices"] for one in results if one["type"] == "choices"] == [
        ["Good"],
        ["Poor"],
        ["Good"],
    ]
    stars = [one["value"]["rating"] for one in results if one["type"] == "rating"]
    assert stars[0] >= 9
    assert stars[1] <= 3


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_huge_values_are_rated_like_others() -> None:
    stars = '<Rating name="quality" toName="ts"/>'
    answers = [
        predict(labels("Spike") + stars, columns(shown))
        for shown in (values(), values() / 25 * 1.7e308)
    ]
    found = [[one["value"] for one in answer["result"]] for answer in answers]
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.parametrize(
    ("names", "shown", "expected"),
    [
        (("Up", "Down", "Steady"), np.arange(200.0), "Up"),
        (("Up", "Down", "Steady"), -np.arange(200.0), "Down"),
        (("Normal", "Spike"), values(), "Spike"),
        (("Normal", "Spike"), np.random.default_rng(3).normal(size=200), "Normal"),
        (("Clean", "Noisy"), np.sin(np.arange(300) / 9), "Clean"),
    ],
)
def test_a_choice_about_the_whole(names: tuple[str, ...], shown: Any, expected: str) -> None:
    [result] = predict(choices(*names), columns(shown))["result"]
    assert result["value"]["choices"] == [expected]


def test_labels_that_no_method_is_for_get_no_prediction() -> None:
    assert predict(labels("Run"), columns(values())) == []
    [failure] = runtime().failures.recent()
    assert "no method is for the labels" in failure["message"]
    assert predict(labels("Run", 'model_method="spikes"'), columns(values()))["result"]


def test_a_threshold_and_a_sensitivity_of_the_tag() -> None:
    answer = predict(labels("Spike", 'model_score_threshold="0.999"'), columns(values()))
    assert answer["result"] == []
    many = predict(labels("Spike", 'model_sensitivity="4"'), columns(values()))["result"]
    assert len(many) > 1


def test_labels_of_the_task() -> None:
    inside = '<TimeSeriesLabels name="label" toName="ts" value="$names"/>'
    xml = f"<View>{inside}{SERIES.format(NUMBERS)}</View>"
    backend = TimeSeriesBackend(label_config=xml, served=True)
    data = {"ts": columns(values()), "names": [{"value": "Spike"}]}
    [answer] = standalone.predict(backend, [{"id": 1, "data": data}])
    assert [one["value"]["timeserieslabels"] for one in answer["result"]] == [["Spike"]]


def test_one_row_is_no_failure() -> None:
    assert predict(labels("Spike"), {"t": [1], "v": [2]})["result"] == []


def test_a_format_that_the_editor_lacks_is_said_and_nothing_filled() -> None:
    series = SERIES.format('timeColumn="t" timeFormat="%k"')
    xml = f"<View>{labels('Spike')}{series}</View>"
    backend = TimeSeriesBackend(label_config=xml, served=True)
    plan = runtime().planner.plan(backend.config, [backend])
    assert plan.filled_by() == {}
    assert any('timeFormat="%k" has "%k"' in problem for problem in plan.problems)


def test_the_official_names_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUENCE_SIZE", "50")
    monkeypatch.setenv("USE_CLASS_WEIGHTS", "false")
    settings = TimeSeriesSettings()
    assert (settings.window, settings.class_weights) == (50, False)
    monkeypatch.setenv("TIMESERIES_WINDOW", "20")
    assert TimeSeriesSettings().window == 20

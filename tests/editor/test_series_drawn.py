"""Spans and instants on series: the editor draws them as sent, and writes the same times."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ruptures")

from backends.timeseries import TimeSeriesBackend
from shared.backend import LabelConfig
from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.pipeline import standalone
from shared.pipeline.runtime import reset_runtime
from shared.results.time_format import format_time
from tests.gallery_templates import templates

ROWS = 240
BEGIN = 1_709_510_400_000  # 2024-03-04T00:00:00Z
# Uneven steps, some of them 0, in milliseconds.
STEPS = np.random.default_rng(5).integers(0, 90_000, ROWS).cumsum()
TIMES = [BEGIN + int(step) for step in STEPS]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    reset_runtime()
    yield
    reset_runtime()


def values() -> list[float]:
    found = np.random.default_rng(6).normal(size=ROWS)
    found[60] += 25
    found[150:] += 12
    return [float(one) for one in found.round(3)]


def label_config(attributes: str, kind: str = "json", inside: str = "") -> str:
    channel = inside or '<Channel column="v"/>'
    return (
        '<View><TimeSeriesLabels name="label" toName="ts"><Label value="Spike"/>'
        '<Label value="Segment"/></TimeSeriesLabels>'
        f'<TimeSeries name="ts" value="$ts" valueType="{kind}" {attributes}>{channel}</TimeSeries>'
        "</View>"
    )


def by_format(written: str, cut: Callable[[str], str] = str) -> tuple[str, Any]:
    """A label config with a format, and columns whose times are written in it."""
    times = [cut(format_time(time, written)) for time in TIMES]
    shown = written.replace("&", "&amp;")
    return label_config(f'timeColumn="t" timeFormat="{shown}"'), {"t": times, "v": values()}


def as_file(separator: str, name: str) -> tuple[str, Any]:
    lines = [separator.join(("Time", "Other", "V"))]
    rows = zip(TIMES, values(), strict=True)
    lines += [
        separator.join((format_time(time, "%Y-%m-%d %H:%M:%S.%L"), "1", f"{value}"))
        for time, value in rows
    ]
    attributes = f'timeColumn="time" timeFormat="%Y-%m-%d %H:%M:%S.%L" sep="{name}"'
    text = "%0A".join(lines).replace(" ", "%20").replace("\t", "%09")
    return label_config(attributes, "url"), f"data:text/csv,{text}"


def headless() -> tuple[str, Any]:
    rows = zip(STEPS, values(), strict=True)
    text = "%0A".join(f"{step / 8},{value}" for step, value in rows)
    return label_config('timeColumn="0"', "url", '<Channel column="1"/>'), f"data:text/csv,{text}"


NUMBERS = {"t": [step / 8 for step in STEPS.tolist()], "v": values()}
MULTI = '<MultiChannel><Channel column="v"/><Channel column="w"/></MultiChannel>'
CASES = {
    "numbers": (label_config('timeColumn="t"'), NUMBERS),
    "numbers with a display format": (
        label_config('timeColumn="t" timeDisplayFormat=".2f"'),
        NUMBERS,
    ),
    "rows": (label_config(""), NUMBERS),
    "several channels": (label_config('timeColumn="t"', "json", MULTI), NUMBERS | {"w": values()}),
    "microseconds": by_format("%Y-%m-%d %H:%M:%S.%f", lambda text: f"{text[:-3]}789"),
    "milliseconds": by_format("%Y-%m-%dT%H:%M:%S.%L"),
    "seconds": by_format("%Y-%m-%d %H:%M:%S"),
    "words": by_format("%d %B %Y %-I:%M:%S %p"),
    "a display format": (
        by_format("%m/%d/%Y %H:%M:%S")[0].replace(
            "timeFormat", 'timeDisplayFormat="%H:%M" timeFormat'
        ),
        by_format("%m/%d/%Y %H:%M:%S")[1],
    ),
    "milliseconds since 1970": by_format("%Q"),
    "a file": as_file(",", ","),
    "a file with tabs": as_file("\t", "tab"),
    "a file without a header": headless(),
}


@pytest.mark.parametrize(("xml", "shown"), CASES.values(), ids=CASES)
def test_spans_and_instants_are_drawn_as_sent(xml: str, shown: Any, browser: EditorBrowser) -> None:
    backend = TimeSeriesBackend(label_config=xml, served=True)
    task = {"id": 1, "data": {"ts": shown}}
    [prediction] = standalone.predict(backend, [task])
    results = prediction["result"]
    assert sorted(one["value"]["instant"] for one in results) == [False, False, True]
    config = LabelConfig.parse(xml)
    browser.show(config, {**task, "predictions": [{"result": results}]})
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, config) == []
    assert len(drawing.regions) == 3
    kept = {one["id"]: one["value"] for one in browser.select(0)}
    assert kept == {one["id"]: one["value"] for one in results}


GALLERY = {
    name.partition("/")[2]: xml
    for name, xml in templates()
    if name.startswith("time-series-analysis/")
}


def gallery_file(xml: str) -> str:
    """A file with a template's columns and times: a wave with a spike, noise and a jump."""
    config = LabelConfig.parse(xml)
    [target] = config.objects.values()
    written = target.attrs.get("timeFormat")
    places = np.arange(480)
    series = np.sin(places / 6) + np.random.default_rng(8).normal(size=480) * 0.02
    series[200:320] = np.random.default_rng(9).normal(size=120)
    series[60] += 12
    series[400:] += 6
    columns = [tag.attrs["column"] for tag in config.written_tags() if tag.name == "Channel"]
    lines = [",".join(("time", *columns))]
    for place, value in enumerate(series.round(4)):
        time = BEGIN + place * 3_600_000
        shown = format_time(time, written) if written else str(place * 0.5)
        lines.append(",".join((shown, *[str(value)] * len(columns))))
    return "data:text/csv," + "%0A".join(lines).replace(" ", "%20")


def test_the_gallery_has_five() -> None:
    assert len(GALLERY) == 5


@pytest.mark.parametrize("xml", GALLERY.values(), ids=GALLERY)
def test_a_template_of_the_gallery_is_drawn_as_predicted(xml: str, browser: EditorBrowser) -> None:
    config = LabelConfig.parse(xml)
    [target] = config.objects.values()
    task = {"id": 1, "data": {str(target.key): gallery_file(xml)}}
    [prediction] = standalone.predict(TimeSeriesBackend(label_config=xml, served=True), [task])
    if "Walk" in xml:  # what nobody has trained
        assert prediction == []
        return
    results = prediction["result"]
    assert results
    browser.show(config, {**task, "predictions": [{"result": results}]})
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, config) == []
    assert _by_id(browser.select(0)) == _by_id(results)


def _by_id(results: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(one["id"], one["from_name"]): one["value"] for one in results}

"""Time series: what methods find without training, what is learned from 20, a million points.

The series are drawn, so that their truth is known: see tests/timeseries/drawing.py.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backends.timeseries import TimeSeriesBackend
from backends.timeseries.methods.anomalies import MAX_POINTS, find_anomalies, matrix_profile
from backends.timeseries.methods.changes import find_changes
from backends.timeseries.methods.event import Event
from backends.timeseries.methods.spikes import find_spikes
from backends.timeseries.training.train import load_model
from shared.backend.training import TrainingRun
from shared.label_studio.label_config import LabelConfig
from shared.media.named_file import LocalPath
from shared.pipeline import standalone
from shared.results.time_format import format_time
from tests.bench.table import Row, Size, show, size_of, sized
from tests.evaluation.dataset.building import build, task
from tests.timeseries.drawing import (
    ACTIVITIES,
    Drawn,
    draw_activities,
    draw_anomalies,
    draw_shifts,
    draw_spikes,
    label_config,
    span_f1,
)

Draw = Callable[[np.random.Generator], Drawn]
Find = Callable[[Any, float], list[Event]]
SHOWN, UNSEEN = 20, 100
SPLIT = (0.85, 0.15)
# Rows by which a found change may lie beside the true one.
REACH = 2
METHODS: dict[str, tuple[Draw, Find, str, int, float | None]] = {
    "Spikes": (draw_spikes, find_spikes, "Spike", 0, 0.9),
    "Level shifts": (draw_shifts, find_changes, "Shift", REACH, 0.9),
    "Odd cycles": (draw_anomalies, find_anomalies, "Anomaly", 0, None),
}
LEARNED: dict[str, tuple[Draw, Sequence[str], int, int, float | None]] = {
    "Three activities": (draw_activities, ACTIVITIES, 2, 0, 0.9),
    "Odd cycles": (draw_anomalies, ("Anomaly",), 1, 0, 0.9),
    "Spikes": (draw_spikes, ("Spike",), 1, 0, 0.9),
    "Level shifts": (draw_shifts, ("Shift",), 1, REACH, 0.9),
}
MILLION_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def rows(size: Size) -> Iterator[Row]:
    """The figures that series are held to."""
    for name, (draw, find, label, reach, least) in METHODS.items():
        count = sized(size, 200, 50, 5)
        bound = least if size != "smallest" else None
        f1 = method_f1(draw, find, label, reach, count)
        yield Row(f"{name} without training, {count} series", "F1", (f1,), at_least=bound)
    for name, learned in list(LEARNED.items())[: sized(size, 4, 4, 1)]:
        yield from learned_rows(name, *learned, size)
    yield from million_rows(sized(size, 1_000_000, 200_000, 20_000))
    if size == "whole" and find_spec("stumpy") is not None:  # it compiles for half a minute
        yield from profile_rows(MAX_POINTS)


def method_f1(draw: Draw, find: Find, label: str, reach: int, count: int) -> float:
    """Return the F1 of a method on series that were drawn."""
    random = np.random.default_rng(0)
    shown = [draw(random) for _ in range(count)]
    found = [[(label, one.start, one.end) for one in find(some.values, 1.0)] for some in shown]
    return span_f1(found, [one.spans for one in shown], reach)


def learned_rows(
    name: str,
    draw: Draw,
    labels: Sequence[str],
    channels: int,
    reach: int,
    least: float | None,
    size: Size,
) -> Iterator[Row]:
    """The figures of a training from 20 series."""
    shown, unseen = sized(size, (SHOWN, UNSEEN), (SHOWN, 30), (6, 3))
    whole = size != "smallest"
    with tempfile.TemporaryDirectory() as folder:
        seconds = train(draw, labels, channels, shown, Path(folder))
        model = load_model(Path(folder) / "out")
        random = np.random.default_rng(1)
        others = [draw(random) for _ in range(unseen)]
        found = [
            [
                (label, one.start, one.end)
                for label, some in model.find(drawn.values).items()
                for one in some
            ]  # type: ignore[union-attr]
            for drawn in others
        ]
    f1 = span_f1(found, [one.spans for one in others], reach)
    title = f"{name} from {shown} annotated series, {unseen} unseen"
    yield Row(title, "F1", (f1,), at_least=least if whole else None)
    yield Row(title, "s", (seconds,), at_most=120 if whole else None)


def train(draw: Draw, labels: Sequence[str], channels: int, count: int, folder: Path) -> float:
    """Train from so many series that are drawn, and return the seconds."""
    random = np.random.default_rng(0)
    shown = [draw(random) for _ in range(count)]
    xml = label_config(labels, channels)
    raws = [task(n, {"series": one.columns()}, one.results()) for n, one in enumerate(shown, 1)]
    dataset = build(folder, xml, raws, "series", split=SPLIT, near_duplicates=False).folder
    config, output = LabelConfig.parse(xml), folder / "out"
    output.mkdir()
    run = TrainingRun(config, config.controls[0], tuple(labels), dataset, None, output)
    start = time.perf_counter()
    TimeSeriesBackend(label_config=xml, served=True).train(run)
    return time.perf_counter() - start


def million_rows(count: int) -> Iterator[Row]:
    """A long CSV file with dates: all that is done beside the methods, and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.csv"
        write_long(path, count)
        ran = subprocess.run(
            [sys.executable, "-m", "tests.bench.timeseries", "--long", str(path)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
    said = json.loads(ran.stdout.splitlines()[-1])
    name = f"{count:,} rows of CSV with dates, spikes and changes"
    bound = 5.0 if count == 1_000_000 else None
    yield Row(name, "s", (said["total"],), (said["methods"],), "the methods alone")
    yield Row(f"{name}, beside the methods", "s", (said["total"] - said["methods"],), at_most=bound)
    yield Row(name, "MB at the most", (said["memory"],))


def write_long(path: Path, count: int) -> None:
    """Write a series of two channels, with a spike and a shift."""
    random = np.random.default_rng(0)
    values = random.normal(size=(count, 2))
    values[count // 3, 0] += 30
    values[count // 2 :, 1] += 5
    begin = 1_600_000_000_000
    with path.open("w", encoding="utf-8") as file:
        file.write("time,a,b\n")
        for row, (first, second) in enumerate(values.tolist()):
            file.write(
                f"{format_time(begin + row * 250, MILLION_FORMAT)},{first:.5f},{second:.5f}\n"
            )


LONG_CONFIG = (
    '<View><TimeSeriesLabels name="label" toName="ts"><Label value="Spike"/><Label value="Change"/>'
    '</TimeSeriesLabels><TimeSeries name="ts" value="$ts" timeColumn="time"'
    f' timeFormat="{MILLION_FORMAT}">'
    '<Channel column="a"/><Channel column="b"/></TimeSeries></View>'
)


def predict_long(path: Path) -> None:
    """Predict a long file, and write the seconds, those of the methods, and the memory."""
    backend = TimeSeriesBackend(label_config=LONG_CONFIG, served=True)
    values = np.random.default_rng(1).normal(size=(2000, 2))
    find_changes(values, 1.0)  # libraries are imported once
    shown = LocalPath.from_file("long.csv", path)
    start = time.perf_counter()
    [answer] = standalone.predict(backend, [{"id": 1, "data": {"ts": shown}}])
    total = time.perf_counter() - start
    assert len(answer["result"]) == 2, answer["result"]
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2))
    start = time.perf_counter()
    find_spikes(table, 1.0)
    find_changes(table, 1.0)
    methods = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"total": total, "methods": methods, "memory": memory}))


def profile_rows(count: int) -> Iterator[Row]:
    """The matrix profile beside stumpy's, and beside what stumpy takes to compile first."""
    channel = np.random.default_rng(0).normal(size=count).cumsum()
    start = time.perf_counter()
    ours = matrix_profile(channel, 100)
    own = time.perf_counter() - start
    start = time.perf_counter()
    from stumpy import stump

    stump(channel[:500], 100)
    first = time.perf_counter() - start
    start = time.perf_counter()
    theirs = stump(channel, 100)[:, 0].astype(float)
    seconds = time.perf_counter() - start
    name = f"Matrix profile of {count:,} points"
    yield Row(name, "s", (own,), (seconds,), "stumpy")
    yield Row(f"{name}, stumpy imported and compiled", "s", (own,), (first,), "stumpy")
    far = float(np.abs(ours - theirs).max())
    yield Row(f"{name}, farthest from stumpy's", "", (far,), at_most=1e-4)


if __name__ == "__main__":
    if "--long" in sys.argv:
        predict_long(Path(sys.argv[-1]))
    else:
        sys.exit(0 if all(row.held for row in show(rows(size_of(sys.argv)))) else 1)

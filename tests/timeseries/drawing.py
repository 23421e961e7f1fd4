"""Series with known truth: spikes, level shifts, odd cycles, drifts, and three activities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Span = tuple[str, int, int]
ACTIVITIES = ("Run", "Walk", "Rest")


@dataclass(frozen=True)
class Drawn:
    """Values of shape (n, channels), and the spans that are in them: label, first and last row."""

    values: NDArray[np.float64]
    spans: Sequence[Span]

    def columns(self) -> dict[str, list[Any]]:
        """The columns of a task, with a time every half unit."""
        found = {
            f"c{place}": self.values[:, place].tolist() for place in range(self.values.shape[1])
        }
        return {"time": [place / 2 for place in range(len(self.values))], **found}

    def results(self, control: str = "label", target: str = "series") -> list[dict[str, Any]]:
        """An annotation of the spans."""
        return [
            {
                "id": f"r{number}",
                "from_name": control,
                "to_name": target,
                "type": "timeserieslabels",
                "value": {
                    "start": first / 2,
                    "end": last / 2,
                    "instant": first == last,
                    "timeserieslabels": [label],
                },
            }
            for number, (label, first, last) in enumerate(self.spans)
        ]


def label_config(labels: Sequence[str], channels: int = 1, more: str = "") -> str:
    """A label config for drawn series."""
    shown = "".join(f'<Label value="{label}"/>' for label in labels)
    columns = "".join(f'<Channel column="c{place}"/>' for place in range(channels))
    return (
        f'<View><TimeSeriesLabels name="label" toName="series">{shown}</TimeSeriesLabels>{more}'
        f'<TimeSeries name="series" value="$series" valueType="json" timeColumn="time">{columns}'
        "</TimeSeries></View>"
    )


def _base(random: np.random.Generator, count: int) -> tuple[NDArray[np.float64], float]:
    """Noise of some size, plain, on a wave, or on a drift; and its standard deviation."""
    size = float(random.uniform(0.2, 2))
    values = random.normal(size=count) * size
    places = np.arange(count)
    kind = random.integers(3)
    if kind == 1:
        values += 3 * size * np.sin(2 * np.pi * places / random.uniform(10, 60))
    elif kind == 2:
        values += places * random.uniform(-1, 1) * size / 50
    return values + random.uniform(-50, 50), size


def draw_spikes(random: np.random.Generator, count: int = 1000) -> Drawn:
    """Up to eight spikes of 9 to 20 standard deviations."""
    values, size = _base(random, count)
    rows = np.sort(random.choice(count // 8, int(random.integers(0, 9)), replace=False) * 8 + 3)
    for row in rows:
        values[row] += random.choice([-1, 1]) * random.uniform(9, 20) * size
    return Drawn(values[:, None], [("Spike", int(row), int(row)) for row in rows])


def draw_shifts(random: np.random.Generator, count: int = 1000) -> Drawn:
    """Up to four level shifts of 4 to 10 standard deviations, at least 60 rows apart."""
    values, size = _base(random, count)
    rows = np.sort(random.choice(count // 60 - 2, int(random.integers(0, 5)), replace=False))
    rows = (rows + 1) * 60 + random.integers(0, 20, len(rows))
    for row in rows:
        values[row:] += random.choice([-1, 1]) * random.uniform(4, 10) * size
    return Drawn(values[:, None], [("Shift", int(row), int(row)) for row in rows])


def draw_anomalies(random: np.random.Generator, count: int = 1200) -> Drawn:
    """One odd cycle among many that are alike."""
    period = int(random.integers(24, 48))
    places = np.arange(count)
    values = np.sin(2 * np.pi * places / period) + 0.4 * np.sin(4 * np.pi * places / period + 1)
    values += random.normal(size=count) * 0.05
    first = int(random.integers(2, count // period - 3)) * period
    cycle = np.sin(2 * np.pi * np.arange(period) / period * 3)
    values[first : first + period] = cycle * random.uniform(0.5, 1)
    return Drawn(values[:, None], [("Anomaly", first, first + period - 1)])


def draw_activities(random: np.random.Generator, count: int = 1500) -> Drawn:
    """Runs, walks and rests one after the other, with stretches between them that are none."""
    values = random.normal(size=(count, 2)) * 0.3
    spans: list[Span] = []
    row = int(random.integers(20, 80))
    while row < count - 100:
        length = int(random.integers(80, 260))
        touching = spans[-1][0] if spans and spans[-1][2] == row - 1 else ""
        label = str(random.choice([one for one in ACTIVITIES if one != touching]))
        places = np.arange(min(length, count - row))
        _ACTS[label](values[row : row + length], places, random)
        spans.append((label, row, row + len(places) - 1))
        row += length + int(random.integers(0, 2)) * int(random.integers(30, 90))
    return Drawn(values, spans)


def _run(part: NDArray[np.float64], places: NDArray[np.int64], random: np.random.Generator) -> None:
    turns = 2 * np.pi * places / random.uniform(9, 11) + random.uniform(0, 6)
    part[:, 0] += 1.5 * np.sin(turns)
    part[:, 1] += 1.0 * np.cos(turns)


def _walk(
    part: NDArray[np.float64], places: NDArray[np.int64], random: np.random.Generator
) -> None:
    turns = 2 * np.pi * places / random.uniform(18, 24) + random.uniform(0, 6)
    part[:, 0] += 1.2 * np.sin(turns)
    part[:, 1] += 0.6 * np.cos(turns)


def _rest(
    part: NDArray[np.float64], places: NDArray[np.int64], random: np.random.Generator
) -> None:
    part *= 0.2
    part[:, 0] += 0.8


_ACTS: dict[str, Callable[..., None]] = {"Run": _run, "Walk": _walk, "Rest": _rest}


def span_f1(
    found: Sequence[Sequence[Span]], truth: Sequence[Sequence[Span]], reach: int = 0
) -> float:
    """F1 over series: spans overlap by half; instants, where `reach` is given, lie so near."""
    hits = total = 0
    for some, others in zip(found, truth, strict=True):
        left = list(others)
        total += len(some) + len(left)
        for label, first, last in some:
            for other in left:
                if other[0] == label and _hits((first, last), other[1:], reach):
                    hits += 1
                    left.remove(other)
                    break
    return 2 * hits / max(total, 1)


def _hits(one: tuple[int, int], other: tuple[int, int], reach: int) -> bool:
    if reach or one[0] == one[1]:
        return abs(one[0] - other[0]) <= reach
    overlap = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return 2 * overlap >= max(one[1], other[1]) - min(one[0], other[0]) + 1

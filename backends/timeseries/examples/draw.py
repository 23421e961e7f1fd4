"""Draws the example, two days of a pump: `python -m backends.timeseries.examples.draw`."""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

ROWS = 576
BEGIN = datetime(2024, 3, 4)


def draw(
    seed: int, spikes: dict[int, float], shift: tuple[int, float], odd: int
) -> list[list[str]]:
    """Return the rows of a pump: pressure with spikes and a shift, flow with one odd cycle."""
    random = np.random.default_rng(seed)
    places = np.arange(ROWS)
    pressure = 4 + 0.05 * random.normal(size=ROWS)
    for place, height in spikes.items():
        pressure[place] += height
    if shift[0]:
        pressure[shift[0] :] += shift[1]
    flow = 20 + 3 * np.sin(2 * np.pi * places / 36) + 0.1 * random.normal(size=ROWS)
    if odd:
        flow[odd : odd + 36] = 20 + 0.1 * random.normal(size=36)
    times = [
        (BEGIN + timedelta(minutes=5 * place)).strftime("%Y-%m-%d %H:%M") for place in range(ROWS)
    ]
    columns = zip(times, pressure, flow, strict=True)
    return [[time, f"{bar:.3f}", f"{litres:.3f}"] for time, bar, litres in columns]


EXAMPLES = {
    "pump-1.csv": draw(1, {90: 1.2, 401: -0.9}, (250, 0.8), 0),
    "pump-2.csv": draw(2, {300: 1.0}, (0, 0.0), 144),
    "pump-3.csv": draw(3, {}, (0, 0.0), 0),
}


def main() -> None:
    """Write the files of the example."""
    for name, rows in EXAMPLES.items():
        with Path(__file__).with_name(name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([["time", "pressure", "flow"], *rows])


if __name__ == "__main__":
    main()

"""A trained model of spans and instants: features of windows, a linear head, a smoothed path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.timeseries.methods.event import Event
from backends.timeseries.methods.noise import fill_missing, running_median
from backends.timeseries.training.features import FeatureSettings
from backends.timeseries.training.smoothing import log_probabilities, most_likely_path
from shared.backend import DecodeError

# Where in the rows of an instant it lies: the point farthest out, the first after the largest step,
# or the middle.
ANCHORS = ("extreme", "step", "centre")
USUAL_POINTS = 15


@dataclass(frozen=True)
class SequenceModel:
    """Finds the spans and instants of labels in a series.

    - `classes`: the labels; class 0 of the head is what has none
    - `instants`: by each label that is one, where in its rows the instant lies
    - `weights`, `offset`: the head, shape (features, classes + 1) and (classes + 1,)
    - `sharpness`, `trust`: how scores become probabilities, and how much these count in the path
    - `transitions`: logarithms of how often a class follows another
    - `least_rows`: spans that are shorter are dropped
    """

    features: FeatureSettings
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    instants: Mapping[str, str]
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    sharpness: float
    trust: float
    transitions: NDArray[np.float64]
    least_rows: int = 1

    def score(self, values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows that were looked at, and the scores of the classes at each."""
        check_channels(values, self.channels)
        rows, scores = [], []
        for part, features in self.features.extract(values):
            rows.append(part)
            scores.append(features @ self.weights + self.offset)
        return np.concatenate(rows), np.concatenate(scores)

    def find(self, values: NDArray[np.float64]) -> dict[str, list[Event]]:
        """Return the events of each label."""
        rows, scores = self.score(values)
        return self.find_by_scores(values, rows, scores)

    def find_by_scores(
        self, values: NDArray[np.float64], rows: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> dict[str, list[Event]]:
        """Return the events of each label by the scores of rows."""
        logs = log_probabilities(scores, self.sharpness)
        path = most_likely_path(self.trust * logs, self.transitions)
        found: dict[str, list[Event]] = {label: [] for label in self.classes}
        borders = np.flatnonzero(np.diff(path)) + 1
        starts = [0, *borders.tolist()]
        for first, last in zip(starts, [*borders.tolist(), len(path)], strict=True):
            number = int(path[first])
            if number:
                label = self.classes[number - 1]
                score = float(np.exp(logs[first:last, number]).mean())
                event = self._event(
                    label, values, self._rows(rows, first, last, len(values)), score
                )
                if event is not None:
                    found[label].append(event)
        return found

    def _rows(self, rows: NDArray[np.int64], first: int, last: int, count: int) -> tuple[int, int]:
        """Return the first and last row of steps: a step stands for half a hop around it."""
        half = self.features.hop // 2
        begin = int(rows[first]) - half if first else 0
        end = int(rows[last - 1]) + (self.features.hop - 1) // 2 if last < len(rows) else count - 1
        return max(begin, 0), min(max(end, begin), count - 1)

    def _event(
        self, label: str, values: NDArray[np.float64], rows: tuple[int, int], score: float
    ) -> Event | None:
        first, last = rows
        if label in self.instants:
            row = anchor_row(values, first, last, self.instants[label])
            return Event(row, row, score)
        if last - first + 1 < self.least_rows:
            return None
        return Event(first, last, score)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the numbers of the model, for a file of weights."""
        return {
            **self.features.to_arrays(),
            "weights": self.weights.astype(np.float32),
            "offset": self.offset.astype(np.float32),
            "transitions": self.transitions,
        }

    def to_json(self) -> dict[str, Any]:
        """Return what else the model is."""
        return {
            "kind": "spans",
            "classes": list(self.classes),
            "channels": list(self.channels),
            "instants": dict(self.instants),
            "sharpness": self.sharpness,
            "trust": self.trust,
            "least_rows": self.least_rows,
        }

    @classmethod
    def from_files(
        cls, arrays: Mapping[str, NDArray[Any]], written: Mapping[str, Any]
    ) -> "SequenceModel":
        """Read what `to_arrays` and `to_json` made."""
        return cls(
            FeatureSettings.from_arrays(arrays),
            tuple(written["classes"]),
            tuple(written["channels"]),
            written["instants"],
            arrays["weights"].astype(np.float64),
            arrays["offset"].astype(np.float64),
            float(written["sharpness"]),
            float(written["trust"]),
            arrays["transitions"],
            int(written["least_rows"]),
        )


def check_channels(values: NDArray[np.float64], channels: tuple[str, ...]) -> None:
    """Raise DecodeError if a series has another number of channels than the model."""
    if values.shape[1] != len(channels):
        raise DecodeError(
            f"The series has {values.shape[1]} channels, but the model was trained with"
            f" {len(channels)}: {', '.join(channels)}"
        )


def anchor_row(values: NDArray[np.float64], first: int, last: int, anchor: str) -> int:
    """Return the row of an instant that lies between two rows."""
    if anchor == "centre" or first == last:
        return (first + last) // 2
    begin = max(first - USUAL_POINTS, 0)
    part = values[begin : last + 1 + USUAL_POINTS]
    columns = [fill_missing(part[:, place]) for place in range(part.shape[1])]
    sizes = np.zeros(len(part))
    for column in columns:
        if anchor == "step":
            size = np.abs(np.diff(column, prepend=column[:1]))
        else:
            size = np.abs(column - running_median(column, min(USUAL_POINTS, len(column))))
        sizes += size / (float(np.median(size)) or float(size.mean()) or 1.0)
    return first + int(sizes[first - begin : last + 1 - begin].argmax())

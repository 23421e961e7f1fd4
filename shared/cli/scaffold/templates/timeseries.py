"""Spans of time series."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim
from shared.cli.scaffold.templates.series import Series
from shared.label_studio.task import Task
from shared.results import Region, TimeSeriesSpan, region


class Found(NamedTuple):
    """From `start` to `end`, as the time column has them."""

    start: float | str
    end: float | str
    name: str
    score: float


class Model:
    """A stand-in: it finds where the values are high. Put yours in its place."""

    classes = ("High",)

    def predict(self, series: list[Series]) -> list[list[Found]]:
        """What is in each series."""
        return [find(one) for one in series]


def find(series: Series) -> list[Found]:
    """From the first to the last value over the mean."""
    if not series.values.size:
        return []
    high = np.flatnonzero(series.values > series.values.mean())
    if not high.size:
        return []
    start, end = series.times[int(high[0])], series.times[int(high[-1])]
    return [Found(start, end, "High", high.size / series.values.size)]


def level(series: Series) -> float:
    """Where the mean lies between the least and the greatest value, from 0 to 1."""
    if not series.values.size or not np.ptp(series.values):
        return 0.0
    return float((series.values.mean() - series.values.min()) / np.ptp(series.values))


class Spans(Backend):
    """For TimeSeriesLabels."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> Series:
        return Series.read(task, claim.object, self.media)

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        labels = claim.labels_for(Model.classes)
        for found in output:
            if found.name in labels:
                span = TimeSeriesSpan(found.start, found.end)
                marks = {claim.control: [labels[found.name]]}
                on = claim.object.attrs.get("timeFormat")
                yield region(span, marks, on, found.score)

"""A small metric for tests of what is made of metrics: regions match by their ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.evaluation.annotated_task import labels_of, value_of
from shared.evaluation.metrics.metric import Match, Outcome, Resampler, ScoredPredictions
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion


class SameId:
    """A prediction is right if it has the id and the value of a true region."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._rows: list[tuple[str, int, float | None, int, int]] = []
        """Label, case, score, whether it is predicted, whether it is true; a hit is both."""

    def add(
        self, case: int, truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
    ) -> Outcome:
        left = {region.id: region for region in truth}
        hits, inventions = [], []
        for region in predicted:
            true = left.get(region.id)
            if true is not None and self._value(true) == self._value(region):
                hits.append(Match(left.pop(region.id), region, 0.9))
                self._rows.append((self._label(region), case, region.score, 1, 1))
            else:
                inventions.append(region)
                self._rows.append((self._label(region), case, region.score, 1, 0))
        self._rows += [(self._label(region), case, None, 0, 1) for region in left.values()]
        total = len(truth) + len(predicted)
        score = 2 * len(hits) / total if total else None
        return Outcome(hits, list(left.values()), inventions, score)

    def figures(self, resampler: Resampler) -> dict[str, Any]:
        labels = dict.fromkeys(label for label, *_ in self._rows if label)
        by_label = {label: self._figures(resampler, label) for label in labels}
        return self._figures(resampler) | ({"labels": by_label} if by_label else {})

    def _figures(self, resampler: Resampler, label: str | None = None) -> dict[str, Any]:
        rows = [row for row in self._rows if label is None or row[0] == label]
        if not rows:
            return {}
        cases, predicted, true = (np.array([row[at] for row in rows]) for at in (1, 3, 4))
        hits = predicted * true
        made: dict[str, Any] = {
            "regions": {"truth": int(true.sum()), "predicted": int(predicted.sum())},
            "interval": {},
        }
        for key, above, below in (
            ("precision", hits, predicted),
            ("recall", hits, true),
            ("f1", 2 * hits, predicted + true),
        ):
            if below.sum():
                made[key] = float(above.sum() / below.sum())
                made["interval"][key] = list(resampler.interval(cases, above, below) or ())
        return made

    def scored(self) -> Mapping[str, ScoredPredictions]:
        found = {}
        for label in dict.fromkeys(row[0] for row in self._rows):
            own = [row for row in self._rows if row[0] == label]
            scored = [row for row in own if row[2] is not None]
            if scored:
                found[label] = ScoredPredictions(
                    np.array([row[2] for row in scored]),
                    np.array([bool(row[4]) for row in scored]),
                    sum(row[4] for row in own),
                )
        return found

    def _value(self, region: ParsedRegion) -> Any:
        return value_of(region, self._control.name)

    def _label(self, region: ParsedRegion) -> str:
        return next(iter(labels_of(self._control, self._value(region))), "")

"""What predictions saved: what people made of them, and how long tasks took with and without.

All annotations that were not skipped count, ground truth or not. Label Studio knows which
prediction an annotation began with (`parent_prediction`), unless that prediction was deleted, and
for how long the task was open (`lead_time`). Annotations of which it does not know this are counted
as such, and are neither in the figures with a prediction nor in those without.
"""

import statistics
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.evaluation.annotated_task import AnnotatedTask, Annotation, StoredPrediction
from shared.evaluation.annotators.answers import names_classes
from shared.evaluation.annotators.corrections import OUTCOMES, Correction, find_corrections
from shared.label_studio.label_config import LabelConfig

# What is known of the prediction that an annotation began with, beside its version.
WITHOUT, UNKNOWN, MISSING = "without_prediction", "unknown_prediction", "missing_prediction"
# What the editor writes as the `origin` of a region that came from a prediction.
PREDICTED_ORIGINS = frozenset({"prediction", "prediction-changed"})


class CorrectionRow(NamedTuple):
    """What became of the predicted regions or answers of a control tag, or of one label of it."""

    version: str
    control: str
    label: str | None
    counts: Mapping[str, int]


class _Counts:
    """How often each outcome came."""

    def __init__(self) -> None:
        self._counts = array("q", bytes(8 * len(OUTCOMES)))

    def add(self, outcome: str) -> None:
        self._counts[OUTCOMES.index(outcome)] += 1

    def figures(self) -> dict[str, int]:
        return dict(zip(OUTCOMES, self._counts, strict=True))


class _ControlCounts:
    """The outcomes of one control tag, and of its labels."""

    def __init__(self, tag: str, has_labels: bool) -> None:
        self.tag = tag
        self.counts = _Counts()
        self.labels: dict[str, _Counts] = {}
        self._has_labels = has_labels

    def add(self, correction: Correction) -> None:
        self.counts.add(correction.outcome)
        for label, outcome in correction.labels.items() if self._has_labels else ():
            self.labels.setdefault(label, _Counts()).add(outcome)

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = {"tag": self.tag, **self.counts.figures()}
        if self.labels:
            labels = sorted(self.labels.items())
            figures["labels"] = {label: counts.figures() for label, counts in labels}
        return figures


class _Durations:
    """How long annotations took, eight bytes each."""

    def __init__(self) -> None:
        self.tasks = 0
        self.annotations = 0
        self._last_task: int | None = None
        self._seconds = array("d")

    def add(self, task: int, seconds: float | None) -> None:
        self.annotations += 1
        if task != self._last_task:
            self.tasks, self._last_task = self.tasks + 1, task
        if seconds is not None:
            self._seconds.append(seconds)

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "tasks": self.tasks,
            "annotations": self.annotations,
            "timed": len(self._seconds),
        }
        if self._seconds:
            figures["median_seconds"] = statistics.median(self._seconds)
        return figures


class TimeSaved:
    """What people made of predictions, and how long it took, over tasks as they come.

    Its memory grows with versions and labels, and by eight bytes for each annotation.
    """

    def __init__(self, config: LabelConfig) -> None:
        self._order = {control.name: place for place, control in enumerate(config.controls)}
        self._tasks = 0
        self._durations: dict[str, _Durations] = {}
        self._others = {name: _Durations() for name in (WITHOUT, UNKNOWN, MISSING)}
        self._controls: dict[str, dict[str, _ControlCounts]] = {}

    def add(self, task: AnnotatedTask) -> None:
        """Compare each annotation of a task with the prediction that it began with."""
        self._tasks += 1
        stored = {str(one.id): one for one in task.predictions if one.id is not None}
        for annotation in task.annotations:
            prediction = stored.get(str(annotation.parent_prediction))
            if prediction is None:
                durations = self._others[_describe_origin(annotation, task)]
            else:
                durations = self._durations.setdefault(prediction.version, _Durations())
                self._compare(prediction, annotation)
            durations.add(self._tasks, annotation.lead_time)

    def _compare(self, prediction: StoredPrediction, annotation: Annotation) -> None:
        controls = self._controls.setdefault(prediction.version, {})
        for correction in find_corrections(prediction.regions, annotation.regions):
            control = correction.control
            if control.name not in controls:
                controls[control.name] = _ControlCounts(control.tag, names_classes(control))
            controls[control.name].add(correction)

    def figures(self) -> dict[str, Any]:
        """Return the figures as JSON; a median of no cases is left out.

        Under `versions`, `without_prediction`, `unknown_prediction` (the task has predictions, or
        its source does not tell, but the annotation names none) and `missing_prediction` (it was
        deleted, or is not in the input) stand the tasks and annotations, those of them whose time
        is known (`timed`), and `median_seconds`.
        """
        versions = {
            version: {
                **durations.figures(),
                "controls": {
                    name: counts.figures() for name, counts in self._sorted_controls(version)
                },
            }
            for version, durations in sorted(self._durations.items())
        }
        others = {name: durations.figures() for name, durations in self._others.items()}
        return {"versions": versions, **others}

    def rows(self) -> Iterable[CorrectionRow]:
        """Yield what became of each version's predictions, by control tag and then by label."""
        for version in sorted(self._controls):
            for name, control in self._sorted_controls(version):
                yield CorrectionRow(version, name, None, control.counts.figures())
                for label, counts in sorted(control.labels.items()):
                    yield CorrectionRow(version, name, label, counts.figures())

    def _sorted_controls(self, version: str) -> Iterator[tuple[str, _ControlCounts]]:
        """Yield the control tags in the order of the label config."""
        controls = self._controls.get(version, {})
        for name in sorted(controls, key=lambda name: self._order.get(name, len(self._order))):
            yield name, controls[name]


def _describe_origin(annotation: Annotation, task: AnnotatedTask) -> str:
    """Return what is known of an annotation whose prediction is not there."""
    origins = {region.region_keys.get("origin") for region in annotation.regions}
    if annotation.parent_prediction is not None or origins & PREDICTED_ORIGINS:
        return MISSING
    return WITHOUT if task.stored_predictions == 0 else UNKNOWN

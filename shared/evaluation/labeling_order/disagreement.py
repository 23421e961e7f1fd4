"""Where model versions disagree most: they cannot all be right there."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.annotators.agreement import answer_gap, read_answers
from shared.evaluation.labeling_order.strategy import RankedTask, number_ranks
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import Control, LabelConfig
from shared.results import ParsedRegion

ONE_VERSION = "tasks have predictions of fewer than two versions: they come last"


class DisagreementStrategy:
    """Ranks tasks by 1 minus the agreement of the predictions of all versions, or of those named.

    The agreement is that of annotators (see `shared.evaluation.annotators.agreement`): the mean
    over each two versions and over the control tags of which one of the two says something.
    """

    def __init__(self, problems: ProblemLog, versions: Sequence[str] = ()) -> None:
        self._problems = problems
        self._versions = tuple(versions)
        self._seen: dict[str, None] = {}
        self._found: list[tuple[float, int, Any]] = []

    def add(self, task: AnnotatedTask) -> None:
        """Look at a task."""
        if task.annotations:
            return
        by_version = {one.version: one.regions for one in task.predictions}
        self._seen |= dict.fromkeys(by_version)
        predictions = [
            regions
            for version, regions in by_version.items()
            if not self._versions or version in self._versions
        ]
        if len(predictions) < 2:
            self._problems.add(ONE_VERSION, task.name)
            self._found.append((-1.0, task.number, task.id))
            return
        gaps = [prediction_gap(task.config, *pair) for pair in combinations(predictions, 2)]
        self._found.append((fmean(gaps), task.number, task.id))

    def rank(self) -> list[RankedTask]:
        """Return the tasks, those with the largest disagreement first."""
        if all(gap < 0 for gap, _, _ in self._found):
            stored = ", ".join(f'"{name}"' for name in self._seen) or "none"
            raise SettingError(
                "--strategy disagreement compares predictions of at least two versions, and no"
                f" task without annotation has two; stored are: {stored}. Store another one with"
                " `prelabel predict --project N --push --backend NAME:MODEL`, or predict now with"
                " two --backend"
            )
        return number_ranks(
            (task, number, gap if gap >= 0 else None)
            for gap, number, task in sorted(self._found, key=lambda one: (-one[0], one[1]))
        )


def prediction_gap(
    config: LabelConfig, one: Sequence[ParsedRegion], other: Sequence[ParsedRegion]
) -> float:
    """Return how far two predictions of a task are apart, from 0 to 1; 0 if both are empty."""
    gaps = [_control_gap(control, one, other) for control in config.controls]
    known = [gap for gap in gaps if gap is not None]
    return fmean(known) if known else 0.0


def _control_gap(
    control: Control, one: Sequence[ParsedRegion], other: Sequence[ParsedRegion]
) -> float | None:
    """Return the distance by a control tag; None if both predictions say nothing by it."""
    said, said_by_other = read_answers(control, one), read_answers(control, other)
    if not any(said) and not any(said_by_other):
        return None
    if not said or not said_by_other:
        return 1.0
    return answer_gap(control, said[0], said_by_other[0])

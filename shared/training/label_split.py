"""Which labels are in which part of the split, and how few tasks are shared out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.training.examples import (
    HELD_OUT,
    MIN_HELD_OUT_TASKS,
    MIN_TRAIN_TASKS,
    TRAIN,
    VALIDATION,
)

# Called with a task and a part: moves it there, or returns False if it has to stay.
Move = Callable[[str, str], bool]
# What each part needs of each label; validation needs a task of any.
NEEDS = {TRAIN: MIN_TRAIN_TASKS, VALIDATION: 0, HELD_OUT: MIN_HELD_OUT_TASKS}


class LabelledTask(NamedTuple):
    """A task of the dataset with its labels; `digest` is that of its content."""

    digest: bytes
    name: str
    labels: frozenset[str]


@dataclass
class LabelSplit:
    """The tasks of each part with the labels that are learned; `counts` are by part and label."""

    labels: Sequence[str]
    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {part: Counter() for part in SPLIT_NAMES}
    )
    _tasks: dict[str, list[LabelledTask]] = field(
        default_factory=lambda: {part: [] for part in SPLIT_NAMES}
    )

    def add(self, name: str, digest: bytes, part: str, labels: Collection[str]) -> None:
        """Count a task."""
        own = frozenset(labels).intersection(self.labels)
        self._tasks[part].append(LabelledTask(digest, name, own))
        self.counts[part].update(own)

    def balance(self, move: Move) -> int:
        """Move tasks to parts that lack them, as far as others can spare them; return how many.

        A split by hashes leaves parts of a few tasks empty by chance.
        """
        moved = 0
        for part, label in self._lacks():
            moved += self._fill(part, label, move)
        return moved

    def _lacks(self) -> Iterator[tuple[str, str | None]]:
        """Yield the parts that lack a label, again after each that was filled."""
        for label in self.labels:
            for part in (HELD_OUT, TRAIN):
                for _ in range(NEEDS[part] - self.counts[part][label]):
                    yield part, label
        if not self._tasks[VALIDATION]:
            yield VALIDATION, None

    def _fill(self, part: str, label: str | None, move: Move) -> bool:
        """Move a task with a label, or any, to a part; return whether there was one."""
        for donor in (one for one in SPLIT_NAMES if one != part):
            for task in sorted(self._tasks[donor]):
                fits = label is None or label in task.labels
                if fits and self._can_spare(donor, task) and move(task.name, part):
                    self._tasks[donor].remove(task)
                    self.counts[donor].subtract(task.labels)
                    self.add(task.name, task.digest, part, task.labels)
                    return True
        return False

    def _can_spare(self, part: str, task: LabelledTask) -> bool:
        has_enough = part != VALIDATION or len(self._tasks[part]) > 1
        return has_enough and all(self.counts[part][one] > NEEDS[part] for one in task.labels)

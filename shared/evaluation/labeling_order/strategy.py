"""The strategies, and what they have in common."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar


class StrategyName(str, Enum):
    """Which tasks come first.

    - `uncertainty`: those of which the model is least sure
    - `diverse`: those that are least like all others, so that near-duplicates come last
    - `disagreement`: those on which model versions disagree most
    """

    uncertainty = "uncertainty"
    diverse = "diverse"
    disagreement = "disagreement"


class RankedTask(NamedTuple):
    """A task with its rank, from 1, and what the rank stands on.

    `score` is the margin, the distance to the nearest task before it, or the disagreement; None
    where the strategy knows nothing of the task. `number` is its place in the input, from 0.
    """

    rank: int
    task: Any
    number: int
    score: float | None

    @property
    def name(self) -> str:
        """How the task is named: by its id, or by its place in the input."""
        return str(self.task) if self.task is not None else f"number {self.number}"


T_contra = TypeVar("T_contra", contravariant=True)


class Strategy(Protocol[T_contra]):
    """Gets all tasks, in the order of the input, and ranks those without annotation."""

    def add(self, task: T_contra, /) -> None:
        """Look at a task, annotated or not."""

    def rank(self) -> list[RankedTask]:
        """Return the tasks without annotation in their order.

        SettingError, with what helps, if the strategy knows nothing of any of them.
        """


def number_ranks(tasks: Iterable[tuple[Any, int, float | None]]) -> list[RankedTask]:
    """Return tasks, given by id, place and score in their order, with their ranks."""
    return [RankedTask(rank, *task) for rank, task in enumerate(tasks, 1)]

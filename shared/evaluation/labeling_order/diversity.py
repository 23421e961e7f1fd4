"""The least like all others first: the k-centre order of what models make of the tasks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.labeling_order.embedder import EmbeddedTask
from shared.evaluation.labeling_order.k_centre import order_by_k_centre
from shared.evaluation.labeling_order.strategy import RankedTask, number_ranks

Vector = NDArray[np.float32]


class DiversityStrategy:
    """Ranks tasks by how far they are from those with annotations and from those ranked before.

    Tasks without a vector come last.
    """

    def __init__(self, count: int) -> None:
        """`count` tasks are ranked one by one; see `order_by_k_centre`."""
        self._count = count
        self._labelled: list[Vector] = []
        self._vectors: list[Vector] = []
        self._tasks: list[tuple[Any, int]] = []
        self._without: list[tuple[Any, int]] = []

    def add(self, embedded: EmbeddedTask) -> None:
        """Look at a task with its vector, or without."""
        task: AnnotatedTask = embedded.task
        if task.annotations:
            if embedded.vector is not None:
                self._labelled.append(embedded.vector)
        elif embedded.vector is None:
            self._without.append((task.id, task.number))
        else:
            self._vectors.append(embedded.vector)
            self._tasks.append((task.id, task.number))

    def rank(self) -> list[RankedTask]:
        """Return the tasks in their order; the score is the distance to the nearest before."""
        if not self._vectors:
            raise SettingError("no task without annotation could be read by a model")
        points = np.stack(self._vectors)
        labelled = np.stack(self._labelled) if self._labelled else points[:0]
        order = order_by_k_centre(points, labelled, self._count)
        ranked: list[tuple[Any, int, float | None]] = [
            (*self._tasks[place], _finite(distance))
            for place, distance in zip(order.places, order.distances, strict=True)
        ]
        return number_ranks(ranked + [(*task, None) for task in self._without])


def _finite(distance: np.float32) -> float | None:
    return float(distance) if np.isfinite(distance) else None

"""Predicts the tasks of a project that lack predictions, and stores these in Label Studio.

Tasks are taken in blocks of neighbouring ids, each under a lease: any number of workers and jobs
share a project, and each task is predicted by one of them.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from shared.bulk.local_engine import EntryPrediction
from shared.bulk.prediction_store import COUNT_FIELDS, PredictionStore
from shared.bulk.task_lease import Lease, LeaseBook
from shared.errors import PrelabelError
from shared.label_studio.project import Project, UnavailableError, predicted_versions
from shared.label_studio.task_file import TaskEntry
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runner import Pipeline

logger = logging.getLogger(__name__)

# Ids of a block: what a killed worker loses, and what is stored at once.
BLOCK_IDS = 32
# Blocks after which a pass ends, so that other projects have a turn and new models are noticed.
PASS_BLOCKS = 64
# What is predicted is stored after so long, even if its block is not done.
STORE_SECONDS = 10.0
# How often a project is read from its beginning again: for failed tasks and deleted predictions.
RESCAN_SECONDS = 600.0
# A scan takes at most this share of the time.
SCAN_SHARE = 0.05
SCAN_TASKS = 500
LAST_ID = 2**62


@dataclass
class WorkCount:
    """What a worker has done: tasks with stored predictions, and tasks that failed."""

    done: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class _HeldBlock:
    """A block in work: `given` of its tasks went to the models, `left` of them are not stored."""

    lease: Lease
    given: int = 0
    stored: int = 0
    is_complete: bool = False


class _Collector:
    """Holds predicted tasks until they are stored."""

    def __init__(self, count: WorkCount) -> None:
        self.tasks: deque[dict[str, Any]] = deque()
        self._count = count

    def add_task(self, task: dict[str, Any]) -> None:
        self.tasks.append(task)

    def add_failure(self, failure: dict[str, Any]) -> None:
        reason = str(failure["message"])
        if reason not in self._count.reasons:
            logger.warning("task %s: %s", failure["task"], reason)
        self._count.reasons[reason] = self._count.reasons.get(reason, 0) + 1


class ProjectWorker:
    """Works on one project. `only` are the ids of the tasks that are wanted; None: all.

    `is_stopped` says whether to end: what the models have is still stored. `report` is called after
    each task, and may raise.
    """

    def __init__(
        self,
        project: Project,
        pipeline: Pipeline,
        leases: LeaseBook,
        is_stopped: Callable[[], bool] = lambda: False,
        report: Callable[[], None] = lambda: None,
    ) -> None:
        self.project = project
        self.only: Collection[int] | None = None
        self.count = WorkCount()
        self._pipeline = pipeline
        self.leases = leases
        self._store = PredictionStore(project)
        self._is_stopped = is_stopped
        self.report = report
        self._cursor = 0
        self._failed: set[int] = set()
        self._postponed: dict[int, None] = {}
        self._held: deque[_HeldBlock] = deque()
        self._rescan_at = 0.0
        self._stored_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether there may be more to do: what others had, or what is stored late."""
        return bool(self._postponed) or self._store.has_doubts

    def run_pass(self, plans: Sequence[PredictionPlan]) -> bool:
        """Predict and store the tasks that lack predictions; return whether there were any.

        One pass ends after PASS_BLOCKS. Leases are given back whatever is raised.
        """
        versions = frozenset(plan.version() for plan in plans)
        if versions != self.project.versions or time.monotonic() > self._rescan_at:
            self.project.versions = versions
            self._restart()
        self._store.settle_doubts()
        collector = _Collector(self.count)
        before = self.count.done + self.count.failed
        try:
            work = EntryPrediction(self._pipeline, plans, collector, self.project.name)
            with closing(work.run(self._entries())) as steps:
                for _ in steps:
                    self._store_if_due(collector.tasks)
                    self.report()
            self._store_predicted(collector.tasks)
        finally:
            while self._held:
                lease = self._held.popleft().lease
                self._postponed[lease.block] = None
                self.leases.give_back(lease)
        if (ended := self.count.done + self.count.failed - before) > 0:
            done, failed = self.count.done, self.count.failed
            logger.info("%s: %d tasks predicted, %d failed so far", self.project.name, done, failed)
        return ended > 0

    def _restart(self) -> None:
        self._cursor = 0
        self._failed.clear()
        self._rescan_at = time.monotonic() + RESCAN_SECONDS

    # Which tasks

    def _entries(self) -> Iterator[TaskEntry]:
        """Yield the tasks of blocks that this worker could lease."""
        taken = 0
        for block in self._blocks():
            tasks = self._take(block)
            if not tasks:
                continue
            held = self._held[-1]
            for task in tasks:
                if self._is_stopped():
                    break
                held.given += 1
                yield TaskEntry(task.id, None, {"id": task.id, "data": task.data})
            held.is_complete = True
            taken += 1
            if self._is_stopped() or taken >= PASS_BLOCKS:
                return

    def _blocks(self) -> Iterator[int]:
        """Yield the blocks with tasks that lack predictions, from where the last pass ended."""
        for block in list(self._postponed):
            del self._postponed[block]
            yield block
        while not self._is_stopped():
            start = time.monotonic()
            page = self.project.list_between(self._cursor + 1, LAST_ID, SCAN_TASKS, COUNT_FIELDS)
            pause = (time.monotonic() - start) / SCAN_SHARE
            self._rescan_at = max(self._rescan_at, time.monotonic() + pause)
            if not page:
                return
            self._store.remove_listed(page)
            blocks = {task.id // BLOCK_IDS for task in page if self._lacks(task)}
            # Each worker in an order of its own, so that they seldom want the same.
            yield from random.sample(sorted(blocks), len(blocks))
            self._cursor = page[-1].id

    def _lacks(self, task: Any) -> bool:
        if task.id in self._failed or (self.only is not None and task.id not in self.only):
            return False
        return not self.project.versions <= predicted_versions(task)

    def _take(self, block: int) -> list[Any]:
        """Return the tasks of a block that lack predictions, under a lease; none if it is taken."""
        lease = self.leases.take(block)
        if lease is None:
            self._postponed[block] = None
            return []
        held = _HeldBlock(lease)
        self._held.append(held)
        first = block * BLOCK_IDS
        # Read under the lease: the one that had it before may have stored them.
        found = self.project.list_between(first, first + BLOCK_IDS - 1, BLOCK_IDS)
        tasks = [task for task in found if self._lacks(task)]
        if not tasks:
            self._held.remove(held)
            self.leases.give_back(lease)
        return tasks

    # Storing

    def _store_if_due(self, tasks: deque[dict[str, Any]]) -> None:
        first = self._held[0]
        is_late = time.monotonic() - self._stored_at > STORE_SECONDS
        if is_late or (first.is_complete and len(tasks) >= first.given - first.stored):
            self._store_predicted(tasks)

    def _store_predicted(self, tasks: deque[dict[str, Any]]) -> None:
        """Store what is predicted, block by block; give back the leases of finished blocks."""
        self._stored_at = time.monotonic()
        while self._held:
            held = self._held[0]
            size = min(len(tasks), held.given - held.stored)
            batch = [tasks.popleft() for _ in range(size)]
            if batch:
                self._store_batch(held.lease, batch)
            held.stored += size
            if not held.is_complete or held.stored < held.given:
                return
            self.leases.give_back(self._held.popleft().lease)

    def _store_batch(self, lease: Lease, batch: list[dict[str, Any]]) -> None:
        failed = [task["id"] for task in batch if not task["predictions"]]
        self._failed.update(failed)
        self.count.failed += len(failed)
        wanted = [task for task in batch if task["predictions"]]
        if not wanted:
            return
        if not self.project.retry(lambda: self.leases.confirm(lease)):
            logger.warning("%s: a lease was lost; its tasks are left to others", self.project.name)
            self._postponed[lease.block] = None
            return
        try:
            self.count.done += self.project.retry(lambda: self._store.store_missing(wanted))
            self.project.retry(lambda: self._store.remove_repeated(wanted))
        except UnavailableError:
            raise
        except PrelabelError as error:  # such as a label config that was changed meanwhile
            logger.warning("%s: %d tasks are not stored: %s", self.project.name, len(wanted), error)
            self._failed.update(task["id"] for task in wanted)
            self.count.failed += len(wanted)

"""Embeds tasks by the loaded models of plans: one vector for each task."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import PrelabelError
from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.problems import ProblemLog
from shared.label_studio.task import Task
from shared.pipeline.models import ModelRegistry
from shared.pipeline.plan import ModelStep, PredictionPlan

logger = logging.getLogger(__name__)

# Dimensions to which each model's vectors are projected: distances stay within some percent, and
# 100,000 tasks take 50 MB.
DIMENSIONS = 128
# Threads that fetch and decode files, and tasks at a time.
READER_THREADS = 8
MAX_CHUNK_TASKS = 64
# Parts of an item, such as pages, that are embedded: the first ones.
MAX_PARTS = 8

# Shape (dimensions,), and (tasks, dimensions).
Vector = NDArray[np.float32]
Vectors = NDArray[np.float32]


class EmbeddedTask(NamedTuple):
    """A task with its vector, of shape (dimensions,); None if it could not be embedded."""

    task: AnnotatedTask
    vector: Vector | None


class _ReadTask(NamedTuple):
    """A task, the steps with the labels that it brings, and the parts of each step's item."""

    task: AnnotatedTask
    steps: Sequence[ModelStep]
    parts: Sequence[Sequence[Any]]


class TaskEmbedder:
    """Embeds tasks by each model of some plans; the vectors of several models are joined.

    What fails is a problem of its task.
    """

    def __init__(
        self, plans: Sequence[PredictionPlan], models: ModelRegistry, problems: ProblemLog
    ) -> None:
        self._plans = plans
        self._models = models
        self._problems = problems

    def embed(self, tasks: Iterable[AnnotatedTask]) -> Iterator[EmbeddedTask]:
        """Yield each task with its vector, while the next ones are read."""
        rest = iter(tasks)
        specs = [step.spec for step in self._steps]
        self._models.pin(specs)
        try:
            with ThreadPoolExecutor(READER_THREADS, "read") as pool:
                following = self._start_reading(pool, rest)
                while reading := following:
                    following = self._start_reading(pool, rest)
                    yield from self._embed_chunk(reading)
        finally:
            self._models.unpin(specs)

    @cached_property
    def _steps(self) -> Sequence[ModelStep]:
        return [
            step
            for plan in self._plans
            for step, _ in plan.without_losing_claims([(step, None) for step in plan.steps])
            if not step.prompted_by  # the others tell alike tasks, too
        ]

    @cached_property
    def _chunk_tasks(self) -> int:
        ahead = min(step.backend.read_ahead(step.claims[0]) for step in self._steps)
        return max(1, min(ahead // 2, MAX_CHUNK_TASKS))

    def _start_reading(
        self, pool: ThreadPoolExecutor, tasks: Iterator[AnnotatedTask]
    ) -> "list[tuple[AnnotatedTask, Future[_ReadTask]]]":
        return [(task, pool.submit(self._read, task)) for task in islice(tasks, self._chunk_tasks)]

    def _read(self, task: AnnotatedTask) -> _ReadTask:
        steps = self._steps
        if task.config is not self._plans[0].config:
            steps = [step.for_task(task.config) for step in steps]
        raw = Task.parse({"id": task.id, "data": task.data})
        items = [step.backend.read(raw, step.claims[0], None) for step in steps]
        parts = [
            step.backend.split(item)[:MAX_PARTS] for step, item in zip(steps, items, strict=True)
        ]
        return _ReadTask(task, steps, parts)

    def _embed_chunk(
        self, reading: "Sequence[tuple[AnnotatedTask, Future[_ReadTask]]]"
    ) -> Iterator[EmbeddedTask]:
        found = {task.number: self._finish_reading(task, future) for task, future in reading}
        vectors = self._embed_or_halve([read for read in found.values() if read is not None])
        for task, _ in reading:
            yield EmbeddedTask(task, vectors.get(task.number))

    def _finish_reading(self, task: AnnotatedTask, future: "Future[_ReadTask]") -> _ReadTask | None:
        try:
            return future.result()
        except Exception as error:  # a backend may raise anything
            self._report(task, error)
            return None

    def _embed_or_halve(self, reads: Sequence[_ReadTask]) -> dict[int, Vector]:
        """Return the vectors by the tasks' numbers; what fails is halved until it is alone."""
        if not reads:
            return {}
        if all(read.steps is reads[0].steps for read in reads):
            try:
                vectors = self._embed_together(reads)
                return {read.task.number: v for read, v in zip(reads, vectors, strict=True)}
            except Exception as error:  # a backend may raise anything
                if len(reads) == 1:
                    self._report(reads[0].task, error)
                    return {}
        middle = len(reads) // 2
        return self._embed_or_halve(reads[:middle]) | self._embed_or_halve(reads[middle:])

    def _embed_together(self, reads: Sequence[_ReadTask]) -> Vectors:
        """Return the joined vectors of all models, each of length 1, shape (tasks, dimensions)."""
        joined = []
        for number, step in enumerate(reads[0].steps):
            parts = [part for read in reads for part in read.parts[number]]
            vectors = _project(self._embed_parts(step, parts), number)
            counts = [len(read.parts[number]) for read in reads]
            joined.append(_with_length_one(_mean_parts(vectors, counts)))
        return np.concatenate(joined, axis=1)

    def _embed_parts(self, step: ModelStep, parts: Sequence[Any]) -> Vectors:
        size = step.backend.max_batch_size(step.spec)
        batches = [list(parts[start : start + size]) for start in range(0, len(parts), size)]
        embed = self._models.embed
        found = [np.asarray(embed(step.backend, one, step.claims), np.float32) for one in batches]
        return np.concatenate(found)

    def _report(self, task: AnnotatedTask, error: Exception) -> None:
        if isinstance(error, PrelabelError):
            self._problems.add(str(error), task.name)
            return
        names = "+".join(dict.fromkeys(plan.backend_names for plan in self._plans))
        logger.error("%s failed on %s", names, task.name, exc_info=error)
        self._problems.add(f"{names} failed: {type(error).__name__}", task.name)


def _mean_parts(vectors: Vectors, counts: Sequence[int]) -> Vectors:
    """Return the mean vector of each task's parts, of which there are `counts`; zeros of none."""
    means: Vectors = np.zeros((len(counts), vectors.shape[1]), np.float32)
    np.add.at(means, np.repeat(np.arange(len(counts)), counts), vectors)
    means /= np.maximum(np.array(counts, np.float32), 1)[:, None]
    return means


def _project(vectors: Vectors, seed: int) -> Vectors:
    """Return vectors of DIMENSIONS: shorter ones with zeros, longer ones by random projection.

    Distances are kept up to some percent (Johnson and Lindenstrauss).
    """
    missing = DIMENSIONS - vectors.shape[1]
    if missing >= 0:
        return np.pad(vectors, ((0, 0), (0, missing)))
    return vectors @ _projection(vectors.shape[1], seed)


@cache
def _projection(dimensions: int, seed: int) -> Vectors:
    """Return a random matrix that keeps lengths on average, shape (dimensions, DIMENSIONS)."""
    drawn = np.random.default_rng(seed).standard_normal((dimensions, DIMENSIONS), np.float32)
    return drawn / np.float32(np.sqrt(DIMENSIONS))


def _with_length_one(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

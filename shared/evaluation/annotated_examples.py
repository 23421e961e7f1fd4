"""The examples of what to find that the annotated tasks of a source hold."""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence

import orjson

from shared.backend.annotated_examples import (
    MAX_TASKS,
    AnnotatedExamples,
    AnnotatedRegions,
    find_asking,
)
from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.problems import ProblemLog
from shared.evaluation.task_source import read_entry
from shared.evaluation.truth import counted_annotations, latest_annotation
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.project import Project
from shared.label_studio.task import Task
from shared.label_studio.task_file import TaskEntry
from shared.media.reader import MediaReader

# What is wrong with annotations is said so many times.
MAX_NOTES = 5


def collect_examples(
    entries: Iterable[TaskEntry], config: LabelConfig, media: MediaReader
) -> AnnotatedExamples:
    """Return what is annotated in the last tasks of a source, all of which are read."""
    found: deque[AnnotatedRegions] = deque(maxlen=MAX_TASKS)
    collector = _Collector(config, media)
    count = 0
    for entry in entries:
        example = collector.read(entry)
        if example is not None:
            found.append(example)
            count += 1
    return collector.finish(list(found), count > MAX_TASKS)


def project_examples(
    project: Project, config: LabelConfig, media: MediaReader
) -> AnnotatedExamples:
    """Return what is annotated in the last tasks of a project, of which no more are read."""
    found: list[AnnotatedRegions] = []
    collector = _Collector(config, media)
    for entry in project.last_annotated_tasks():
        example = collector.read(entry)
        if example is None:
            continue
        if len(found) == MAX_TASKS:
            return collector.finish(found[::-1], has_more=True)
        found.append(example)
    return collector.finish(found[::-1], has_more=False)


class _Collector:
    """Reads tasks, and keeps what is wrong with them."""

    def __init__(self, config: LabelConfig, media: MediaReader) -> None:
        self._config = config
        self._controls = find_asking(config)
        self._problems = ProblemLog()
        self._reader = TaskReader(config, media, self._problems, needs_predictions=False)

    def read(self, entry: TaskEntry) -> AnnotatedRegions | None:
        """Return the examples on a task; None if it has none."""
        task = read_entry(entry, self._reader, self._problems)
        counted = counted_annotations(task) if task is not None else ()
        if task is None or not counted:
            return None
        found = AnnotatedRegions(Task(task.id, task.data), latest_annotation(counted).regions)
        return found if any(self._drawn(found, one) for one in self._controls) else None

    @staticmethod
    def _drawn(found: AnnotatedRegions, control: Control) -> bool:
        return any(True for _ in found.of_control(control))

    def finish(self, found: Sequence[AnnotatedRegions], has_more: bool) -> AnnotatedExamples:
        """Return the examples, with what is left out."""
        notes = [str(problem) for problem in self._problems][:MAX_NOTES]
        if has_more:
            names = " and ".join(map(str, self._controls))
            notes.append(
                f"more than {MAX_TASKS} tasks are annotated with {names}: the last {MAX_TASKS} are"
                " the examples. So many can train a model: see Training in the documentation"
            )
        return AnnotatedExamples(_digest(found), tuple(found), tuple(notes))


def _digest(found: Sequence[AnnotatedRegions]) -> str:
    """Return what is the same for the same regions of the same tasks."""
    parts = [
        [one.task.id, one.task.data, [region.to_region().results for region in one.regions]]
        for one in found
    ]
    packed = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(packed).hexdigest()[:32]

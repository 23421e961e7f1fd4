"""Results of an evaluation in the project's tasks, where the Data Manager sorts and filters.

Each task gets, for each version, `prelabel_result_VERSION_score` (F1 or its equivalent, 0 to 1),
`…_misses`, `…_inventions` and `…_worst_label`, and
the project a view "Worst predictions first" for each version.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from shared.evaluation.annotated_task import AnnotatedTask, labels_of
from shared.evaluation.evaluation import TaskResult
from shared.evaluation.figures import format_count
from shared.evaluation.label_errors.issue import LabelIssue
from shared.label_studio.project import Project
from shared.label_studio.project_views import ERRORS_TITLE, WORST_TITLE, ProjectViews
from shared.label_studio.task_keys import (
    TaskKeys,
    column_of,
    describe_columns_left,
    remove_keys,
    task_key,
)

FIGURES = ("score", "misses", "inventions", "worst_label")
# The key that orders the annotations that may be wrong.
SUSPICION_KEY = task_key("label_error")
# Keys of results begin so, those of `prelabel next` do not.
RESULT_PREFIX = task_key("result") + "_"
ERROR_FILTER = {"operator": "greater", "type": "Number", "value": 0}


class ResultPush:
    """Stores the results of tasks as they come. Asking again replaces them.

    Tasks that have no result of an evaluated version any more lose what they had of it.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._keys = TaskKeys(project, RESULT_PREFIX)
        self._names: dict[str, str] = {}

    def add(self, task: AnnotatedTask, results: Sequence[TaskResult]) -> None:
        """Store what came of each version in a task."""
        by_version: dict[str, list[TaskResult]] = {}
        for result in results:
            by_version.setdefault(result.version, []).append(result)
        keys: dict[str, Any] = {}
        for version, found in by_version.items():
            keys |= self._keys_of(version, found)
        self._keys.write(task.id, task.data, keys)

    def finish(self) -> str:
        """Save the views, and describe in a sentence what was done."""
        views = ProjectViews(self._project)
        for version, name in self._names.items():
            columns = [column_of(f"{name}_{figure}") for figure in FIGURES[:3]]
            title = WORST_TITLE
            title += f" ({version})" if len(self._names) > 1 else ""
            views.save(f"{name}_score", title, columns[:1], columns)
        # Tasks have no results of other versions any more.
        views.remove(RESULT_PREFIX, keep={f"{name}_score" for name in self._names.values()})
        shown = format_count(len(self._names), "view")
        changed = format_count(self._keys.changed, "task")
        return f'{self._project.name}: {changed} changed; {shown} "Worst predictions first"'

    def _keys_of(self, version: str, results: Sequence[TaskResult]) -> dict[str, Any]:
        name = self._name_of(version)
        scores = [result.score for result in results if result.score is not None]
        values = {
            "score": round(fmean(scores), 4) if scores else None,
            "misses": sum(result.misses for result in results),
            "inventions": sum(result.inventions for result in results),
            "worst_label": _worst_label(results),
        }
        return {f"{name}_{key}": value for key, value in values.items() if value is not None}

    def _name_of(self, version: str) -> str:
        """Return the beginning of a version's keys; different versions have different ones."""
        if version not in self._names:
            name = RESULT_PREFIX + task_key(version).removeprefix(task_key())
            if name in self._names.values():
                name += "_" + hashlib.sha256(version.encode()).hexdigest()[:4]
            self._names[version] = name
        return self._names[version]


def push_label_errors(project: Project, issues: Iterable[LabelIssue], tasks: Iterable[Any]) -> str:
    """Store the confidence that an annotation of a task is wrong, and the view that sorts by it."""
    worst: dict[Any, float] = {}
    for issue in issues:
        worst[issue.task] = max(worst.get(issue.task, 0.0), round(issue.confidence, 4))
    keys = TaskKeys(project, SUSPICION_KEY)
    for task in tasks:
        found = worst.get(task["id"])
        keys.write(task["id"], task["data"], {} if found is None else {SUSPICION_KEY: found})
    column = column_of(SUSPICION_KEY)
    shown = [{"filter": f"filter:{column}", **ERROR_FILTER}]
    ProjectViews(project).save(SUSPICION_KEY, ERRORS_TITLE, [f"-{column}"], [column], shown)
    return f'{project.name}: {format_count(len(worst), "task")} in the view "{ERRORS_TITLE}"'


def remove_pushed(project: Project, tasks: Iterable[Any]) -> str:
    """Take back all keys and views of evaluations; describe in a sentence what was removed."""
    views = ProjectViews(project).remove(RESULT_PREFIX, SUSPICION_KEY)
    changed = remove_keys(project, tasks, RESULT_PREFIX, SUSPICION_KEY)
    left = describe_columns_left(project, RESULT_PREFIX, SUSPICION_KEY)
    return (
        f"{project.name}: results removed from {format_count(changed, 'task')},"
        f" and {format_count(views, 'view')}{left}"
    )


def _worst_label(results: Sequence[TaskResult]) -> str | None:
    """Return the label with the most misses and inventions; None if there are none."""
    counts: Counter[str] = Counter()
    for result in results:
        for name, outcome in result.outcomes.items():
            for region in (*outcome.misses, *outcome.inventions):
                for control, value in region.values.items():
                    if control.name == name:
                        counts.update(labels_of(control, value) or [name])
    return counts.most_common(1)[0][0] if counts else None

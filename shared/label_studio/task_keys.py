"""Keys of our own in the data of a project's tasks: columns that the Data Manager can sort by.

Nothing else in the free edition can be both written per task and sorted by: a task's `meta` is not
shown, and the score of a prediction is that of the model. Keys with the prefix are ours; no other
key is ever changed, and none with it is written where the label config shows one.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.errors import SettingError
from shared.label_studio.project import Project

KEY_PREFIX = "prelabel_"
_UNREADABLE = re.compile(r"[^A-Za-z0-9]+")


def task_key(*parts: str) -> str:
    """Return a key with the prefix, in characters that the Data Manager can filter by."""
    return KEY_PREFIX + "_".join(_UNREADABLE.sub("_", part).strip("_") for part in parts)


def column_of(key: str) -> str:
    """Return the Data Manager's column of a key of the data."""
    return f"tasks:data.{key}"


def own_keys(data: Mapping[str, Any], *prefixes: str) -> dict[str, Any]:
    """Return the keys of a task's data that begin with one of the prefixes."""
    return {key: value for key, value in data.items() if key.startswith(prefixes)}


def without_own_keys(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's data as the user gave it."""
    return {key: value for key, value in data.items() if not key.startswith(KEY_PREFIX)}


class TaskKeys:
    """Writes keys with prefixes into tasks; tasks that have them already cost no request.

    One task after the other: Label Studio 1.23 loses counts of the project's columns where two
    tasks are changed at the same time.
    """

    def __init__(self, project: Project, *prefixes: str) -> None:
        """SettingError if the label config shows a key with the prefix of all our keys."""
        if f"${KEY_PREFIX}" in project.label_config:
            raise SettingError(
                f"{project.name}: its label config shows keys that begin with {KEY_PREFIX}, which"
                " are those of prelabel: rename them"
            )
        self._project = project
        self._prefixes = prefixes
        self.changed = 0

    def write(self, task_id: int, data: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        """Let a task have exactly these keys with the prefixes; `data` is its data as last read."""
        if own_keys(data, *self._prefixes) != keys:
            self.changed += self._replace(task_id, keys)

    def _replace(self, task_id: int, keys: Mapping[str, Any]) -> bool:
        """Read the task again and change only our keys: the rest may have changed since.

        False if the task has been deleted in the meantime.
        """
        data = self._project.read_task_data(task_id)
        if data is None:
            return False
        others = {key: value for key, value in data.items() if not key.startswith(self._prefixes)}
        self._project.write_task_data(task_id, {**others, **keys})
        return True


def describe_columns_left(project: Project, *prefixes: str) -> str:
    """Return a clause about columns that Label Studio shows though no task has the key any more.

    It counts the tasks that have a key, and counts one again whenever a task gets an annotation or
    prediction. Its "Reset Cache" counts anew; we leave that to the user, since it also forgets
    which labels are in use.
    """
    left = [key for key in project.list_data_columns() if key.startswith(prefixes)]
    if not left:
        return ""
    return (
        f"; Label Studio still lists the empty column(s) {', '.join(left)}, since it has counted"
        ' some tasks twice: "Reset Cache" in the project\'s settings, Danger Zone, removes them'
    )


def remove_keys(project: Project, tasks: Iterable[Any], *prefixes: str) -> int:
    """Remove the keys with one of the prefixes from all tasks; return how many tasks had some."""
    writer = TaskKeys(project, *prefixes)
    for task in tasks:
        writer.write(task["id"], task["data"], {})
    return writer.changed

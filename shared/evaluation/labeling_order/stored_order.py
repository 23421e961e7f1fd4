"""The order in a project: each task's rank in its data, and a view that sorts by it.

The labelling stream of the view ("Label Tasks As Displayed") follows it. A task that has got an
annotation leaves the view.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.evaluation.figures import format_count
from shared.evaluation.labeling_order.strategy import RankedTask
from shared.label_studio.project import Project
from shared.label_studio.project_views import NEXT_TITLE, ProjectViews
from shared.label_studio.task_keys import (
    TaskKeys,
    column_of,
    describe_columns_left,
    remove_keys,
    task_key,
)

RANK_KEY = task_key("next")
# What the view shows: tasks with a rank, until they have an annotation.
FILTERS = (
    {
        "filter": f"filter:{column_of(RANK_KEY)}",
        "operator": "greater",
        "type": "Number",
        "value": 0,
    },
    {
        "filter": "filter:tasks:total_annotations",
        "operator": "equal",
        "type": "Number",
        "value": 0,
    },
)


def store_order(project: Project, ranked: Sequence[RankedTask], tasks: Iterable[Any]) -> str:
    """Store the ranks and the view in place of earlier ones; describe it in a sentence.

    `tasks` are all tasks of the project, as `id` and `data`.
    """
    # All of one length, so that they sort as texts: on PostgreSQL the stream sorts so, whatever the
    # view says, since the browser tells it only the column.
    digits = len(str(max((one.rank for one in ranked), default=0)))
    ranks = {one.task: f"{one.rank:0{digits}}" for one in ranked}
    keys = TaskKeys(project, RANK_KEY)
    for task in tasks:
        rank = ranks.get(task["id"])
        keys.write(task["id"], task["data"], {} if rank is None else {RANK_KEY: rank})
    column = column_of(RANK_KEY)
    ProjectViews(project).save(RANK_KEY, NEXT_TITLE, [column], filters=FILTERS)
    return f'{project.name}: the view "{NEXT_TITLE}" has the order'


def remove_order(project: Project, tasks: Iterable[Any]) -> str:
    """Take the ranks and the view back; describe in a sentence what was removed."""
    views = ProjectViews(project).remove(RANK_KEY)
    changed = remove_keys(project, tasks, RANK_KEY)
    left = describe_columns_left(project, RANK_KEY)
    return (
        f"{project.name}: the order removed from {format_count(changed, 'task')},"
        f" and {format_count(views, 'view')}{left}"
    )

"""The address of a task in Label Studio."""

from typing import Any

from shared.settings import Settings


def task_link(settings: Settings, task_id: Any) -> str | None:
    """Return the address that shows a task; None without LABEL_STUDIO_URL, or for a foreign id.

    A failure knows no project, without which the data manager opens no task: so this is the
    task's record, which names its project.
    """
    number = isinstance(task_id, int) or (isinstance(task_id, str) and task_id.isdecimal())
    if settings.label_studio_url is None or not number:
        return None
    return f"{settings.label_studio_url}/api/tasks/{task_id}/"

"""Removes from tasks what Label Studio exports but refuses to import."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

Task = dict[str, Any]

PREDICTIONS = "predictions that are numbers or have no results"
ANNOTATIONS = "annotations that are numbers or have no results"
COMPLETED_BY = "users without an email address in completed_by"
META = "meta that is no object"
UPLOAD = "file_upload_id"


def make_importable(task: Task, left_out: Counter[str]) -> Task:
    """Return the task as Label Studio imports it, and count in `left_out` what was removed.

    An export names rows of its own database by their numbers: predictions, users, uploaded files.
    In another database an import answers 400 or 500 to the whole file, or takes another row.
    """
    made = dict(task)
    _keep_with_results(made, "predictions", PREDICTIONS, left_out)
    _keep_with_results(made, "annotations", ANNOTATIONS, left_out)
    if "annotations" in made:
        made["annotations"] = [
            _importable_annotation(part, left_out) for part in made["annotations"]
        ]
    _drop_refused(made, "meta", META, lambda meta: not isinstance(meta, dict | list), left_out)
    _drop_refused(made, "file_upload_id", UPLOAD, lambda upload: upload is not None, left_out)
    return made


def _keep_with_results(task: Task, key: str, what: str, left_out: Counter[str]) -> None:
    """Keep the objects of a list that have results; anything but a list becomes an empty one."""
    if key not in task:
        return
    found = task[key] if isinstance(task[key], list) else []
    kept = [part for part in found if _has_results(part)]
    left_out.update({what: len(found) - len(kept)} if len(found) > len(kept) else {})
    task[key] = kept


def _has_results(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("result"), list)


def _importable_annotation(annotation: Task, left_out: Counter[str]) -> Task:
    made = dict(annotation)
    _drop_refused(made, "completed_by", COMPLETED_BY, _is_unknown, left_out)
    return made


def _is_unknown(user: Any) -> bool:
    """Return whether only the exporting database knows the user; others know email addresses."""
    return user is not None and not (isinstance(user, dict) and "email" in user)


def _drop_refused(
    task: Task, key: str, what: str, refused: Callable[[Any], bool], left_out: Counter[str]
) -> None:
    if key in task and refused(task[key]):
        del task[key]
        left_out[what] += 1


def describe_left_out(left_out: Counter[str]) -> Iterable[str]:
    """Return a line for all that was left out, or none."""
    if left_out:
        parts = ", ".join(f"{what} ({number:,})" for what, number in left_out.items())
        yield f"left out, as Label Studio's import refuses them: {parts}"

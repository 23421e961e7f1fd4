"""Label Studio's JSON-MIN export, read back as tasks with annotations.

It has one flat object for each annotation: the task's data, the values of each control tag under
the tag's name, and `annotation_id`, `annotator`, `created_at`, `updated_at`, `lead_time`. It has
no predictions, ids of regions, relations, skipped annotations or ground truth marks
(https://labelstud.io/guide/export#JSON-MIN).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task_file import TaskEntry

# Keys of a record that are neither the task's data nor a control tag.
RECORD_KEYS = frozenset(
    ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
)
IMAGE_SIZE_KEYS = ("original_width", "original_height")
# The key of `value` in which a control tag's plain value is, where it is not the result's type.
PLAIN_VALUE_KEYS = {"textarea": "text", "pairwise": "selected"}


def read_json_min(entries: Iterable[TaskEntry], config: LabelConfig) -> Iterator[TaskEntry]:
    """Yield the entries with JSON-MIN records made tasks; other entries as they are.

    Successive records of one task, which has several annotations, become one entry.
    """
    for key, group in groupby(entries, _record_task_id):
        if key is None:
            yield from group
            continue
        records = list(group)
        yield records[0]._replace(task=_build_task([entry.task for entry in records], config))


def _record_task_id(entry: TaskEntry) -> str | None:
    """Return what a record's task is named by; None if the entry is no JSON-MIN record."""
    task = entry.task
    if not isinstance(task, Mapping) or "annotation_id" not in task or "annotations" in task:
        return None
    return repr(task.get("id", entry.number))


def _build_task(records: list[Mapping[str, Any]], config: LabelConfig) -> dict[str, Any]:
    names = {control.name for control in config.controls}
    first = records[0]
    data = {key: first[key] for key in first if key not in names and key not in RECORD_KEYS}
    annotations = [
        {
            "id": record.get("annotation_id"),
            "completed_by": record.get("annotator"),
            "created_at": record.get("created_at"),
            "updated_at": record.get("updated_at"),
            "lead_time": record.get("lead_time"),
            "result": list(_build_results(record, config)),
        }
        for record in records
        if record.get("annotation_id") is not None
    ]
    return {"id": first.get("id"), "data": data, "annotations": annotations}


def _build_results(record: Mapping[str, Any], config: LabelConfig) -> Iterator[dict[str, Any]]:
    for control in config.controls:
        values = record.get(control.name)
        if values is None:
            continue
        for value in _list_values(control, values):
            yield _build_result(control, value)


def _list_values(control: Control, values: Any) -> list[Any]:
    """Return the values of a control tag; a single choice or text stands without its list."""
    if not isinstance(values, list):
        return [values]
    is_path = control.has_nested_choices and all(isinstance(name, str) for name in values)
    return [values] if is_path else values


def _build_result(control: Control, value: Any) -> dict[str, Any]:
    """Build a result from an object, or from a choice or text that stands alone."""
    if not isinstance(value, Mapping):
        key = PLAIN_VALUE_KEYS.get(control.type, control.type)
        plain = control.type in {"choices", "textarea"}
        value = {key: [value] if plain else value}
    sizes = {key: value[key] for key in IMAGE_SIZE_KEYS if key in value}
    inner = {key: part for key, part in value.items() if key not in {*IMAGE_SIZE_KEYS, "type"}}
    result = {"from_name": control.name, "to_name": control.to_name, "type": control.type}
    return {**result, "value": inner, **sizes}

"""What a control tag says of a region or a task, as it stands in a result's `value`."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from shared.label_studio.label_config import Control

# The key of a control's own answer where it is not the result's type.
VALUE_KEYS = {"textarea": "text", "pairwise": "selected", "videorectangle": "labels"}

# How DateTime writes without a `format` (the editor's tags/control/DateTime.jsx).
DATE_TIME_FORMAT, DATE_FORMAT, TIME_FORMAT, YEAR_FORMAT = (
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%H:%M",
    "%Y",
)


def value_key(control: Control) -> str:
    """The key in `value` under which a control tag's own answer stands."""
    return VALUE_KEYS.get(control.type, control.type)


def names_labels(control: Control) -> bool:
    """Whether its answer is a list of names."""
    return control.type.endswith("labels") or control.type in {"choices", "videorectangle"}


def time_format(control: Control) -> str:
    """How a DateTime tag writes its dates, in the letters of strftime."""
    only = {part.strip() for part in control.attrs.get("only", "").split(",") if part.strip()}
    if only == {"time"}:
        return TIME_FORMAT
    if only == {"year"}:
        return YEAR_FORMAT
    default = DATE_FORMAT if only and "time" not in only else DATE_TIME_FORMAT
    return control.attrs.get("format") or default


def format_answer(control: Control, answer: Any) -> Any:
    """An answer as the control's results have it: a single name becomes a list, and so on."""
    if control.has_nested_choices:
        return _as_paths(answer)
    if names_labels(control) or control.type == "textarea":
        return [answer] if isinstance(answer, str) else list(_as_list(answer))
    if control.type == "datetime" and isinstance(answer, date | datetime | time):
        return answer.strftime(time_format(control))
    if control.type == "ranker" and not isinstance(answer, Mapping):
        return {control.name: list(_as_list(answer))}
    return answer


def _as_list(answer: Any) -> Any:
    return answer if isinstance(answer, list | tuple | set | frozenset) else [answer]


def _as_paths(answer: Any) -> list[list[str]]:
    """A name, a path or a list of paths as a list of paths."""
    if isinstance(answer, str):
        return [[answer]]
    parts = list(_as_list(answer))
    if parts and all(isinstance(part, str) for part in parts):
        return [parts]
    return [[part] if isinstance(part, str) else list(part) for part in parts]

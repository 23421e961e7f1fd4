"""The part of a result's `value` that a control tag fills: labels, choices, texts, numbers."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from shared.label_studio.label_config import Control

# The key of a control tag's own value, where it is not the result's type.
VALUE_KEYS = {"textarea": "text", "pairwise": "selected", "videorectangle": "labels"}

# How DateTime writes without a `format` (the editor's tags/control/DateTime.jsx).
DATE_TIME_FORMAT, DATE_FORMAT, TIME_FORMAT, YEAR_FORMAT = (
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%H:%M",
    "%Y",
)


def value_key(control: Control) -> str:
    """Return the key in `value` that holds a control tag's own value."""
    return VALUE_KEYS.get(control.type, control.type)


def names_labels(control: Control) -> bool:
    """Return whether a control tag's value is a list of names."""
    return control.type.endswith("labels") or control.type in {"choices", "videorectangle"}


def time_format(control: Control) -> str:
    """Return the strftime format in which a DateTime tag writes its dates."""
    only = {part.strip() for part in control.attrs.get("only", "").split(",") if part.strip()}
    if only == {"time"}:
        return TIME_FORMAT
    if only == {"year"}:
        return YEAR_FORMAT
    default = DATE_FORMAT if only and "time" not in only else DATE_TIME_FORMAT
    return control.attrs.get("format") or default


def format_answer(control: Control, answer: Any) -> Any:
    """Return a model's answer in the form of the control tag's results.

    A single name becomes a list, a path a list of paths, a date a text, an order a bucket.
    """
    if control.has_nested_choices:
        return _as_paths(answer)
    if names_labels(control) or control.type == "textarea":
        return list(_as_list(answer))
    if control.type == "datetime" and isinstance(answer, date | datetime | time):
        return answer.strftime(time_format(control))
    if control.type == "ranker" and not isinstance(answer, Mapping):
        return {control.name: list(_as_list(answer))}
    return answer


def _as_list(answer: Any) -> Any:
    return answer if isinstance(answer, list | tuple | set | frozenset) else [answer]


def _as_paths(answer: Any) -> list[list[str]]:
    """Return a name, one path or a list of paths as a list of paths."""
    parts = list(_as_list(answer))
    if not isinstance(answer, str) and parts and all(isinstance(part, str) for part in parts):
        return [parts]
    return [[part] if isinstance(part, str) else list(part) for part in parts]

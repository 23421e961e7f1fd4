"""Results as they were sent against results as the editor gives them back."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from shared.results import Bitmask, Brush
from shared.results.percent import read_image_size

Result = Mapping[str, Any]
Key = tuple[Any, ...]

TOLERANCE = 1e-3
"""Of every number, absolute: a thousandth of a percent of an image's side."""

NOT_GIVEN_BACK = frozenset({"hidden", "value.score"})
"""Sent keys that have an effect or none, but that the editor never writes."""

ADDED = frozenset({"origin", "value.closed"})
"""Keys that the editor writes by itself."""


def comparable(result: Result) -> dict[str, Any]:
    """Masks by what they cover: the editor draws them anew, in the label's colour."""
    value = dict(result.get("value") or {})
    for key, shape in (("rle", Brush), ("imageDataURL", Bitmask)):
        if key in value:
            mask = shape.from_value(value, read_image_size(result)).mask
            value[key] = hashlib.sha256(mask.tobytes()).hexdigest()
    return {**result, "value": value} if "value" in result else dict(result)


def differences(sent: Iterable[Result], shown: Iterable[Result]) -> list[str]:
    """What the editor did not display as it was meant, a line each; empty if all is well.

    Results are matched by (id, from_name, type), relations by what they join.
    """
    before, found = _by_key(sent), _by_key(shown)
    lines = [f"{_name(key)}: not displayed" for key in before if key not in found]
    lines += [f"{_name(key)}: displayed, but never sent" for key in found if key not in before]
    for key in before:
        if key in found:
            lines += [f"{_name(key)}: {line}" for line in _compare(before[key], found[key], "")]
    return lines


def _by_key(results: Iterable[Result]) -> dict[Key, Result]:
    keyed: dict[Key, Result] = {}
    for result in results:
        key = _key(result)
        if key in keyed:
            raise ValueError(f"{_name(key)} is there twice")
        keyed[key] = result
    return keyed


def _key(result: Result) -> Key:
    if result.get("type") == "relation":
        return ("relation", result.get("from_id"), result.get("to_id"))
    return (result.get("id"), result.get("from_name"), result.get("type"))


def _name(key: Key) -> str:
    return " ".join(str(part) for part in key)


def _compare(sent: Any, shown: Any, path: str) -> list[str]:
    if isinstance(sent, Mapping) and isinstance(shown, Mapping):
        return _compare_keys(sent, shown, path)
    if isinstance(sent, list) and isinstance(shown, list) and len(sent) == len(shown):
        pairs = enumerate(zip(sent, shown, strict=True))
        return [line for at, (a, b) in pairs for line in _compare(a, b, f"{path}[{at}]")]
    if _equal(sent, shown):
        return []
    return [f"{path} was {sent!r}, is {shown!r}"]


def _compare_keys(sent: Result, shown: Result, path: str) -> list[str]:
    lines = []
    for key in [*sent, *(key for key in shown if key not in sent)]:
        inner = f"{path}.{key}" if path else str(key)
        if key not in shown:
            lines += [] if inner in NOT_GIVEN_BACK else [f"{inner} was {sent[key]!r}, is gone"]
        elif key not in sent:
            lines += [] if inner in ADDED else [f"{inner} was not sent, is {shown[key]!r}"]
        else:
            lines += _compare(sent[key], shown[key], inner)
    return lines


def _equal(sent: Any, shown: Any) -> bool:
    if _is_number(sent) and _is_number(shown):
        return bool(abs(sent - shown) <= TOLERANCE)
    return type(sent) is type(shown) and bool(sent == shown)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

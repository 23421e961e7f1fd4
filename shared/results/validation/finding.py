"""The findings of checks, and helpers for their messages."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard

from shared.errors import truncate

Severity = Literal["error", "warning"]
Value: TypeAlias = Mapping[str, Any]

# Characters of a value that a message quotes at most.
MAX_QUOTED_CHARACTERS = 60


class RuleViolation(NamedTuple):
    """A broken rule, before it is known which result of which region breaks it."""

    rule: str
    message: str
    severity: Severity = "error"


Problems: TypeAlias = Iterable[RuleViolation]


@dataclass(frozen=True)
class Finding:
    """Something wrong with a prediction.

    `rule` is a short stable name, `index` the place in the list of results, `prediction` the
    place in the task's list of predictions. An error means that Label Studio would refuse it,
    or store it and not show what is meant; a warning that something is lost, or shown otherwise.
    """

    rule: str
    region: str | None
    index: int | None
    message: str
    severity: Severity = "error"
    prediction: int | None = None

    def __str__(self) -> str:
        where = "" if self.prediction is None else f"prediction {self.prediction}: "
        return f"{self.severity}: {where}{self.message} [{self.rule}]"


def quote(value: Any) -> str:
    """Return a value as JSON, shortened, in characters that print anywhere."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda other: type(other).__name__)
    except (ValueError, TypeError, RecursionError):
        return f"a value of type {type(value).__name__}"
    text = text.encode("utf-8", "backslashreplace").decode()
    return truncate(text, MAX_QUOTED_CHARACTERS)


def list_problem(value: Value, key: str) -> RuleViolation:
    """Report a key that should hold a list and does not."""
    if key not in value or value[key] is None:
        return RuleViolation("missing_key", f'"{key}" is missing')
    what = f'"{key}" is {quote(value[key])}, expected a list that is not empty'
    return RuleViolation("not_a_list", what)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def is_count(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def matches_format(text: str, written: str) -> bool:
    """Return whether a date has a format; true for formats that Python does not know."""
    try:
        datetime.strptime(text, written)
    except ValueError as error:
        return "bad directive" in str(error)
    return True


def closest_name(name: str, names: Iterable[str], likeness: float = 0.75) -> str | None:
    """Return the name that was probably meant, if any is that much alike: 1 is the same."""
    known = list(names)
    folded = {other.casefold().strip(): other for other in reversed(known)}
    same = folded.get(name.casefold().strip())
    close = difflib.get_close_matches(name[:MAX_QUOTED_CHARACTERS], known, 1, likeness)
    return same or next(iter(close), None)


def suggest_name(name: str, names: Iterable[str], few: bool = True) -> str:
    """Return the end of a message: the name that was probably meant, or a `few` names all."""
    known = list(names)
    other = closest_name(name, known)
    if other is not None:
        return f"; did you mean {quote(other)}?"
    if not known or not few:
        return ""
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return f"; there is {', '.join(quote(other) for other in known[:8])}{more}"

"""What one look at the way of a prediction says."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.cli.doctor.remedies import REMEDIES

State = Literal["ok", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Check:
    """One line: the link that was looked at, what was found, and what helps.

    `rule` is a short stable name, a key of `REMEDIES`.
    """

    link: str
    state: State
    found: str
    rule: str = ""
    remedy: str = ""


def good(link: str, found: str) -> Check:
    """A link that holds."""
    return Check(link, "ok", found)


def broken(link: str, rule: str, found: str, **names: Any) -> Check:
    """A link that does not hold; `names` are those that its remedy speaks of."""
    return Check(link, "broken", found, rule, REMEDIES[rule].format(**names))


def warning(link: str, rule: str, found: str, **names: Any) -> Check:
    """A link that holds, but not as it should."""
    return Check(link, "warning", found, rule, REMEDIES[rule].format(**names))


def skipped(link: str, why: str) -> Check:
    """A link that cannot be looked at, because of another one."""
    return Check(link, "skipped", why)

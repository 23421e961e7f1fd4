"""The result of one check."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.doctor.remedies import REMEDIES

State = Literal["ok", "warning", "broken", "skipped"]


@dataclass(frozen=True)
class Check:
    """One line of the report: the link that was checked, what was found, and what helps.

    `rule` is a short stable name, a key of `REMEDIES`. The fields are the keys of `--format json`.
    """

    link: str
    state: State
    found: str
    rule: str = ""
    remedy: str = ""


def ok_check(link: str, found: str) -> Check:
    """Build the check of a link that works."""
    return Check(link, "ok", found)


def broken_check(link: str, rule: str, found: str, **names: Any) -> Check:
    """Build the check of a link that does not work; `names` fill the remedy's placeholders."""
    return Check(link, "broken", found, rule, REMEDIES[rule].format(**names))


def warning_check(link: str, rule: str, found: str, **names: Any) -> Check:
    """Build the check of a link that works, but not as it should."""
    return Check(link, "warning", found, rule, REMEDIES[rule].format(**names))


def skipped_check(link: str, reason: str) -> Check:
    """Build the check of a link that depends on a broken one, or on an option."""
    return Check(link, "skipped", reason)

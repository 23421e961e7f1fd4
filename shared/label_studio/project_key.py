"""The key of a project: what Label Studio sends as `project` in /predict and /setup.

It is `ID.UNIXTIME`: the project's id, and when it was created in whole seconds (as in
`_create_project_uid` of Label Studio's `ml/api_connector.py`), so that the projects of two Label
Studios, or of one that was set up again, have different keys.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from shared.errors import RequestError, SettingError, escape_control, truncate

# An id is a positive number of a database, a time is after 1970.
_PROJECT_KEY = re.compile(r"\d{1,18}\.\d{1,18}", re.ASCII)
# Python 3.10 reads fractions of 3 or 6 digits only; whole seconds are all that counts.
_FRACTION = re.compile(r"[.,]\d+")
MAX_SHOWN_CHARACTERS = 60


def project_key(project: Mapping[str, Any]) -> str:
    """Return the key of a project as the API and webhooks describe it.

    RequestError names what is missing: `id`, and `created_at` in ISO 8601 or as a datetime.
    """
    number, created = project.get("id"), project.get("created_at")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise RequestError(f'"project.id" should be a positive number, found {_describe(number)}')
    return f"{number}.{int(_parse_time(created).timestamp())}"


def is_project_key(text: str) -> bool:
    """Return whether a text is `ID.UNIXTIME`."""
    return _PROJECT_KEY.fullmatch(text) is not None


def project_number(key: str) -> int | None:
    """Return the id of the project of a key; None for a key that is no `ID.UNIXTIME`."""
    return int(key.partition(".")[0]) if is_project_key(key) else None


def read_project_number(text: str) -> int:
    """Return the id that a request means by the id or the key of a project; else SettingError."""
    number = project_number(text if "." in text else f"{text}.0")
    if number is None:
        raise SettingError('"project" should be the id of a project, or its key (ID.TIME)')
    return number


def match_project(keys: Iterable[str], text: str) -> str:
    """Return the key that a user means: the whole key, or the id if it has one key only.

    SettingError otherwise, with the keys that there are.
    """
    known = sorted(set(keys))
    if text in known:
        return text
    found = [key for key in known if key.partition(".")[0] == text and is_project_key(key)]
    if len(found) == 1:
        return found[0]
    shown = f'"{escape_control(truncate(text, MAX_SHOWN_CHARACTERS))}"'
    if found:
        raise SettingError(
            f"project {shown} is one of {', '.join(found)} (id and time): give the whole key"
        )
    raise SettingError(f"there is no project {shown}; there are: {', '.join(known) or 'none'}")


def _parse_time(created: Any) -> datetime:
    if isinstance(created, str):
        text = _FRACTION.sub("", created.strip()).replace("Z", "+00:00")
        with suppress(ValueError):  # it is refused below, as it was found
            created = datetime.fromisoformat(text)
    if not isinstance(created, datetime):
        raise RequestError(
            '"project.created_at" should be a time such as "2026-01-31T12:00:00Z", found'
            f" {_describe(created)}"
        )
    # Label Studio answers in UTC unless it is told otherwise.
    return created if created.tzinfo else created.replace(tzinfo=timezone.utc)


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    return escape_control(truncate(repr(value), MAX_SHOWN_CHARACTERS))

"""Keys of projects: those that Label Studio makes, and which one a user means."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from shared.errors import RequestError, SettingError
from shared.label_studio.project_key import match_project, project_key, project_number

# 2026-01-31T12:00:00Z is 1769860800: 20484 days (56 years of 365 days, 14 leap days, 30 days of
# January) of 86400 s, and 12 h.
NOON = 20484 * 86400 + 12 * 3600


@pytest.mark.parametrize(
    "created",
    [
        "2026-01-31T12:00:00.987654Z",
        "2026-01-31T12:00:00Z",
        "2026-01-31T14:00:00.5+02:00",
        "2026-01-31T12:00:00",
        datetime(2026, 1, 31, 12, 0, 0, 987654, tzinfo=timezone.utc),
        datetime(2026, 1, 31, 11, tzinfo=timezone(timedelta(hours=-1))),
    ],
    ids=["microseconds", "no fraction", "other zone", "no zone", "sdk", "sdk, other zone"],
)
def test_key_has_the_id_and_the_whole_seconds(created: Any) -> None:
    assert project_key({"id": 7, "created_at": created}) == f"7.{NOON}"


@pytest.mark.parametrize(
    ("project", "named"),
    [
        ({}, '"project.id"'),
        ({"id": "../7", "created_at": "2026-01-31T12:00:00Z"}, "found '../7'"),
        ({"id": True, "created_at": "2026-01-31T12:00:00Z"}, "found True"),
        ({"id": 0, "created_at": "2026-01-31T12:00:00Z"}, "found 0"),
        ({"id": 7}, '"project.created_at"'),
        ({"id": 7, "created_at": "yesterday\n"}, r"found 'yesterday\\n'"),
        ({"id": 7, "created_at": 5}, "found 5"),
    ],
    ids=["nothing", "path", "flag", "zero", "no time", "no date", "number as time"],
)
def test_what_is_missing_is_named(project: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        project_key(project)


@pytest.mark.parametrize(
    ("text", "key"), [("7", "7.5"), ("7.5", "7.5"), ("8.2", "8.2"), ("receipts", "receipts")]
)
def test_a_project_is_found_by_id_or_key(text: str, key: str) -> None:
    assert match_project(["7.5", "8.1", "8.2", "receipts"], text) == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8", r"one of 8\.1, 8\.2"),
        ("9", r"no project \"9\"; there are: 7\.5, 8\.1, 8\.2"),
    ],
    ids=["several", "none"],
)
def test_a_project_that_is_not_found_names_those_that_there_are(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        match_project(["8.1", "8.2", "7.5"], text)


def test_number_is_that_of_the_key() -> None:
    assert (project_number("7.5"), project_number("receipts"), project_number("7")) == (
        7,
        None,
        None,
    )

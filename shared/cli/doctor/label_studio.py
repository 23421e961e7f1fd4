"""Label Studio itself: its address, its version, the token, the project."""

import base64
import binascii
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from shared.cli.doctor.check import Check, broken, good, skipped, warning
from shared.cli.doctor.session import DoctorSession, failure
from shared.errors import PrelabelError
from shared.media.egress import describe_error

# The release of Label Studio that the tests run against.
TESTED = "1.23.2"
WHOAMI = "/api/current-user/whoami"


def settings(way: DoctorSession) -> Iterator[Check]:
    """Whether it is said where Label Studio is, and what opens it."""
    key = way.settings.label_studio_api_key
    if not way.home:
        yield broken("Settings", "url_missing", "LABEL_STUDIO_URL is not set")
    if key is None:
        yield broken("Settings", "key_missing", "LABEL_STUDIO_API_KEY is not set")
    if way.home and key is not None:
        yield good("Settings", f"LABEL_STUDIO_URL={way.home_shown}, LABEL_STUDIO_API_KEY is set")


def reachable(way: DoctorSession) -> Iterator[Check]:
    """Whether Label Studio answers at its address, and its version."""
    try:
        answer = way.ask("GET", "/api/version")
    except (httpx.HTTPError, PrelabelError) as error:
        yield _unreachable(way, error)
        return
    release = _json(answer).get("release")
    # Label Studio says its version below any path; the rest of its API has but one place.
    if not isinstance(release, str) or way.ask("GET", WHOAMI).status_code == 404:
        what = f"what answers at {way.home_shown} ({answer.status_code}) is not Label Studio"
        yield broken("Label Studio", "url_other", what)
        return
    found = f"{release} at {way.home_shown}"
    if _numbers(release) < _numbers(TESTED):
        what = f"{found} is older than {TESTED}, which was tested"
        yield warning("Label Studio", "version_older", what, tested=TESTED)
    elif _numbers(release)[:2] > _numbers(TESTED)[:2]:
        what = f"{found} is newer than {TESTED}, which was tested"
        yield warning("Label Studio", "version_newer", what)
    else:
        yield good("Label Studio", found)


def _unreachable(way: DoctorSession, error: Exception) -> Check:
    kind = failure(error)
    if kind == "silent":
        seconds = way.patience
        what = f"{way.home_shown} does not answer"
        return broken("Label Studio", "url_silent", what, seconds=seconds)
    if kind == "host":
        return broken("Label Studio", "url_host", f"{way.home_shown}: {error}")
    if kind == "tls":
        return broken("Label Studio", "url_tls", f"{way.home_shown}: {describe_error(error)}")
    if kind == "refused":
        return broken("Label Studio", "url_refused", f"{way.home_shown} refuses connections")
    return broken("Label Studio", "url_other", f"{way.home_shown} does not speak HTTP: {error}")


def token(way: DoctorSession) -> Iterator[Check]:
    """What kind the token is, and whether it opens Label Studio, renewed if need be."""
    key = way.settings.label_studio_api_key
    assert key is not None
    claims = _claims(key.get_secret_value())
    if claims is None:
        yield _legacy(way, key.get_secret_value())
    elif claims.get("token_type") == "access":
        yield broken("Token", "token_short", "this is an access token")
    elif float(claims.get("exp") or 0) < time.time():
        yield broken("Token", "token_expired", f"it expired on {_day(claims.get('exp'))}")
    else:
        yield _personal(way, key.get_secret_value(), claims)


def _personal(way: DoctorSession, key: str, claims: dict[str, Any]) -> Check:
    """A personal access token: a JWT that is exchanged for one which lives for minutes."""
    answer = way.ask("POST", "/api/token/refresh/", json={"refresh": key})
    access = _json(answer).get("access")
    if not isinstance(access, str):
        what = f"Label Studio answers {answer.status_code}: {_detail(answer)}"
        return broken("Token", "token_refused", f"a personal access token; {what}")
    way.access = {"Authorization": f"Bearer {access}"}
    who = way.ask("GET", WHOAMI)
    if not who.is_success:
        what = f"renewed, but Label Studio answers {who.status_code}: {_detail(who)}"
        return broken("Token", "token_kind_off", f"a personal access token; {what}")
    until = _day(claims.get("exp"))
    return good("Token", f"a personal access token of {_name(who)}, renews until {until}")


def _legacy(way: DoctorSession, key: str) -> Check:
    """A token of the old kind, which is sent as it is."""
    way.access = {"Authorization": f"Token {key}"}
    who = way.ask("GET", WHOAMI)
    if who.is_success:
        return good("Token", f"a legacy token of {_name(who)}, which does not expire")
    what = f"a legacy token; Label Studio answers {who.status_code}: {_detail(who)}"
    off = "legacy" in _detail(who)
    return broken("Token", "token_legacy_off" if off else "token_refused", what)


def project(way: DoctorSession) -> Iterator[Check]:
    """Whether the project is there, and has a task."""
    if way.number is None:
        yield skipped("Project", "--project N looks at a project, and at all that follows")
        return
    answer = way.ask("GET", f"/api/projects/{way.number}/")
    if not answer.is_success:
        what = f"Label Studio answers {answer.status_code}: {_detail(answer)}"
        yield broken("Project", "project_missing", what, url=way.home_shown)
        return
    facts = answer.json()
    entry = next(iter(way.project), None)
    count = facts.get("task_number", 0)
    title = f'"{facts.get("title")}", {count:,} {"task" if count == 1 else "tasks"}'
    if entry is None or entry.task is None:
        yield broken("Project", "project_empty", title)
        return
    way.task, way.chosen = entry.task, facts.get("model_version")
    yield good("Project", title)


def _claims(key: str) -> dict[str, Any] | None:
    """What a JWT says of itself; None for a legacy token."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _day(moment: Any) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(float(moment or 0)))


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _detail(answer: httpx.Response) -> str:
    return str(_json(answer).get("detail") or "nothing more")[:200]


def _name(who: httpx.Response) -> str:
    return str(_json(who).get("email") or "a user")


def _numbers(release: str) -> tuple[int, ...]:
    parts = (part for part in release.replace("-", ".").split(".")[:3])
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)

"""Checks of Label Studio itself: its address and version, the token, the project."""

import base64
import binascii
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from shared.doctor.check import Check, broken_check, ok_check, skipped_check, warning_check
from shared.doctor.session import DoctorSession, classify_failure
from shared.errors import PrelabelError
from shared.media.egress import describe_error

# The release of Label Studio that the tests run against.
TESTED_RELEASE = "1.23.2"
WHOAMI = "/api/current-user/whoami"


def check_settings(session: DoctorSession) -> Iterator[Check]:
    """Check that Label Studio's address and a token are set."""
    key = session.settings.label_studio_api_key
    if not session.label_studio_url:
        yield broken_check("Settings", "url_missing", "LABEL_STUDIO_URL is not set")
    if key is None:
        yield broken_check("Settings", "key_missing", "LABEL_STUDIO_API_KEY is not set")
    if session.label_studio_url and key is not None:
        url = session.shown_label_studio_url
        yield ok_check("Settings", f"LABEL_STUDIO_URL={url}, LABEL_STUDIO_API_KEY is set")


def check_address(session: DoctorSession) -> Iterator[Check]:
    """Check that Label Studio answers at its address, and its version."""
    url = session.shown_label_studio_url
    try:
        response = session.ask_label_studio("GET", "/api/version")
    except (httpx.HTTPError, PrelabelError) as error:
        yield _report_unreachable(session, error)
        return
    release = _read_object(response).get("release")
    # Label Studio reports its version below any path; the rest of its API exists only once.
    if not isinstance(release, str) or session.ask_label_studio("GET", WHOAMI).status_code == 404:
        message = f"the response from {url} ({response.status_code}) is not Label Studio's"
        yield broken_check("Label Studio", "url_other", message)
        return
    version = f"{release} at {url}"
    numbers, tested = _release_numbers(release), _release_numbers(TESTED_RELEASE)
    if numbers < tested:
        message = f"{version} is older than {TESTED_RELEASE}, which was tested"
        yield warning_check("Label Studio", "version_older", message, tested=TESTED_RELEASE)
    elif numbers[:2] > tested[:2]:
        message = f"{version} is newer than {TESTED_RELEASE}, which was tested"
        yield warning_check("Label Studio", "version_newer", message)
    else:
        yield ok_check("Label Studio", version)


def _report_unreachable(session: DoctorSession, error: Exception) -> Check:
    url, seconds = session.shown_label_studio_url, session.timeout_seconds
    rule, message = {
        "host": ("url_host", f"{url}: {error}"),
        "refused": ("url_refused", f"{url} refuses connections"),
        "timeout": ("url_silent", f"{url} does not answer"),
        "tls": ("url_tls", f"{url}: {describe_error(error)}"),
        "other": ("url_other", f"{url} does not speak HTTP: {error}"),
    }[classify_failure(error)]
    return broken_check("Label Studio", rule, message, seconds=seconds)


def check_token(session: DoctorSession) -> Iterator[Check]:
    """Check the token's kind, and that Label Studio accepts it or renews it."""
    assert session.settings.label_studio_api_key is not None
    # The kind and the expiry stand in the token itself, so they are known without a request.
    key = session.settings.label_studio_api_key.get_secret_value()
    claims = _read_claims(key)
    if claims is None:
        yield _check_legacy_token(session, key)
    elif claims.get("token_type") == "access":
        yield broken_check("Token", "token_short", "this is an access token")
    elif float(claims.get("exp") or 0) < time.time():
        yield broken_check("Token", "token_expired", f"it expired on {_date(claims.get('exp'))}")
    else:
        yield _check_personal_token(session, key, claims)


def _check_personal_token(session: DoctorSession, key: str, claims: dict[str, Any]) -> Check:
    """Check a personal access token: a JWT that is exchanged for one which lives for minutes."""
    response = session.ask_label_studio("POST", "/api/token/refresh/", json={"refresh": key})
    access = _read_object(response).get("access")
    if not isinstance(access, str):
        message = f"a personal access token; {_describe_refusal(response)}"
        return broken_check("Token", "token_refused", message)
    session.auth_headers = {"Authorization": f"Bearer {access}"}
    user = session.ask_label_studio("GET", WHOAMI)
    if not user.is_success:
        message = f"a personal access token; it was renewed, but {_describe_refusal(user)}"
        return broken_check("Token", "token_kind_off", message)
    until = _date(claims.get("exp"))
    return ok_check("Token", f"a personal access token of {_user_name(user)}, valid until {until}")


def _check_legacy_token(session: DoctorSession, key: str) -> Check:
    """Check a token of the old kind, which is sent as it is."""
    session.auth_headers = {"Authorization": f"Token {key}"}
    user = session.ask_label_studio("GET", WHOAMI)
    if user.is_success:
        return ok_check("Token", f"a legacy token of {_user_name(user)}, which does not expire")
    rule = "token_legacy_off" if "legacy" in _read_detail(user) else "token_refused"
    return broken_check("Token", rule, f"a legacy token; {_describe_refusal(user)}")


def check_project(session: DoctorSession) -> Iterator[Check]:
    """Check that the project exists, and has a task."""
    if session.project_id is None:
        yield skipped_check("Project", "--project N checks a project, and all that follows")
        return
    response = session.ask_label_studio("GET", f"/api/projects/{session.project_id}/")
    if not response.is_success:
        url, message = session.shown_label_studio_url, _describe_refusal(response)
        yield broken_check("Project", "project_missing", message, url=url)
        return
    project = response.json()
    entry = next(iter(session.project), None)
    count = project.get("task_number", 0)
    title = f'"{project.get("title")}", {count:,} {"task" if count == 1 else "tasks"}'
    if entry is None or entry.task is None:
        yield broken_check("Project", "project_empty", title)
        return
    session.task, session.project_version = entry.task, project.get("model_version")
    yield ok_check("Project", title)


def _read_claims(key: str) -> dict[str, Any] | None:
    """Return a JWT's claims; None for a legacy token."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        # base64url without its padding, as JWTs are written
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def _date(timestamp: Any) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(float(timestamp or 0)))


def _read_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a response; an empty one for any other response."""
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_detail(response: httpx.Response) -> str:
    return str(_read_object(response).get("detail") or "no further details")[:200]


def _describe_refusal(response: httpx.Response) -> str:
    return f"Label Studio answers {response.status_code}: {_read_detail(response)}"


def _user_name(response: httpx.Response) -> str:
    return str(_read_object(response).get("email") or "a user")


def _release_numbers(release: str) -> tuple[int, ...]:
    parts = release.replace("-", ".").split(".")[:3]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)

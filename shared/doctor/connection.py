"""Checks of the way from Label Studio to our server, and of the project's model version."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from shared.doctor.check import Check, broken_check, ok_check, warning_check
from shared.doctor.session import DoctorSession
from shared.errors import redact_url

# An ML backend as Label Studio's API describes it.
ConnectedBackend = dict[str, Any]

# Parts of Label Studio's messages, which have no codes, and the rule that each tells.
HINTS = (
    ("401 Client Error", "connection_auth"),
    ("authentication parameters", "connection_auth"),
    ("reserved network", "connection_blocked"),
    ("not allowed", "connection_blocked"),
    ("CERTIFICATE_VERIFY_FAILED", "connection_tls"),
    ("resolve host", "connection_host"),
    ("Failed to resolve", "connection_host"),
    ("Read timed out", "connection_slow"),
    ("health check failed", "connection_refused"),
)
# Label Studio asks /health and /setup of every connected server before it answers.
ASK_TIMEOUT_SECONDS = 60.0
CONNECTED = "CO"
FAILED = "ER"


def check_connection(session: DoctorSession) -> Iterator[Check]:
    """Check that Label Studio reaches the server that is connected to the project."""
    response = session.ask_label_studio(
        "GET", "/api/ml/", params={"project": session.project_id}, timeout=ASK_TIMEOUT_SECONDS
    )
    backends: list[ConnectedBackend] = response.raise_for_status().json()
    url = session.shown_server_url
    if not backends:
        yield broken_check("Connection", "not_connected", "no model is connected", url=url)
        return
    ours = [backend for backend in backends if _is_same_server(backend["url"], session.server_url)]
    for backend in ours or backends:
        yield _check_state(session, backend)
    if not ours and any(backend["state"] == CONNECTED for backend in backends):
        urls = ", ".join(redact_url(backend["url"]) for backend in backends)
        message = f"Label Studio asks {urls}, and this command asks {url}"
        yield warning_check("Connection", "connection_elsewhere", message, url=url)


def check_versions(session: DoctorSession) -> Iterator[Check]:
    """Check that the project shows a version that has stored predictions.

    A project whose model was connected shows that model, by its title: no stored prediction has
    the title as its version.
    """
    path = f"/api/projects/{session.project_id}/model-versions/"
    response = session.ask_label_studio("GET", path, params={"extended": "true"})
    versions = response.raise_for_status().json()["static"]
    counts = {version["model_version"]: version["count"] for version in versions}
    total = sum(counts.values())
    stored = f"{total:,} stored {'prediction' if total == 1 else 'predictions'}"
    chosen = session.project_version
    if not counts:
        yield ok_check("Versions", "no prediction is stored yet")
    elif chosen is None or chosen in counts:
        yield ok_check("Versions", f"the project shows {chosen or 'all versions'}, of {stored}")
    else:
        title = redact_url(chosen)
        version = f'"{title}", which is not a version' if title else "no version"
        message = f"the project shows {version} of its {stored}"
        yield warning_check("Versions", "version_chosen", message, newest=next(iter(counts)))


def _check_state(session: DoctorSession, backend: ConnectedBackend) -> Check:
    url, state = redact_url(backend["url"]), backend["state"]
    if state == CONNECTED:
        version = backend.get("model_version")
        return ok_check("Connection", f"Label Studio reaches {url}, model version {version}")
    if state == FAILED:
        reason = str(backend.get("error_message") or "")
    else:
        reason = _ask_reason(session, backend)
    message = f"{url} is {backend.get('readable_state', state)}: {_shorten_reason(reason)}"
    return broken_check("Connection", find_rule(reason), message)


def find_rule(reason: str) -> str:
    """Return the rule that a message of Label Studio tells.

    The message may hold any address, and so any number: a status code alone tells nothing.
    """
    return next((rule for hint, rule in HINTS if hint in reason), "connection_setup")


def _ask_reason(session: DoctorSession, backend: ConnectedBackend) -> str:
    """Return why a backend is disconnected: Label Studio tells only when it is to be saved."""
    response = session.ask_label_studio(
        "PATCH",
        f"/api/ml/{backend['id']}",
        json={"url": backend["url"], "project": session.project_id},
        timeout=ASK_TIMEOUT_SECONDS,
    )
    # Saving made Label Studio ask again, and this time the server was quick enough.
    if response.is_success:
        return "Read timed out the first time"
    problem = response.json()
    errors = (problem.get("validation_errors") or {}).values()
    return "; ".join(str(text) for texts in errors for text in texts) or str(problem.get("detail"))


def _shorten_reason(reason: str) -> str:
    """Return the reason without the link and the advice that Label Studio puts around it."""
    return reason.split("Additional info: ")[-1].strip()[:240] or "no reason is given"


def _is_same_server(url: str, other: str) -> bool:
    """Return whether two addresses lead to one server, as far as can be told from here."""
    ours, theirs = urlsplit(url), urlsplit(other)
    # Label Studio may run on another machine, where another name leads to the same server.
    hosts = {ours.hostname, theirs.hostname}
    is_same_host = len(hosts) == 1 or hosts <= {"localhost", "127.0.0.1", "::1"}
    is_same_path = ours.path.rstrip("/") == theirs.path.rstrip("/")
    return is_same_host and ours.port == theirs.port and is_same_path

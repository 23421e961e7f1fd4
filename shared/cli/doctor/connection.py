"""Our server, asked by Label Studio: what the project's settings say of it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from shared.cli.doctor.check import Check, broken, good, warning
from shared.cli.doctor.session import DoctorSession
from shared.errors import redact_url

# An ML backend as Label Studio's API has it.
Backend = dict[str, Any]

# What Label Studio's messages hold, and the rule that it tells.
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


def connection(way: DoctorSession) -> Iterator[Check]:
    """Whether Label Studio reaches a server that is connected to the project.

    It asks /health and /setup of each of them before it answers.
    """
    answer = way.ask("GET", "/api/ml/", params={"project": way.number}, timeout=60.0)
    backends: list[Backend] = answer.raise_for_status().json()
    if not backends:
        yield broken("Connection", "not_connected", "no model is connected", url=way.url_shown)
        return
    ours = [backend for backend in backends if _same(backend["url"], way.url)] or backends
    for backend in ours:
        yield _state(way, backend)
    if ours is backends and any(backend["state"] == "CO" for backend in backends):
        names = ", ".join(redact_url(backend["url"]) for backend in backends)
        what = f"Label Studio asks {names}, and this command {way.url_shown}"
        yield warning("Connection", "connection_elsewhere", what, url=way.url_shown)


def versions(way: DoctorSession) -> Iterator[Check]:
    """Whether the project goes by stored predictions; a model that was connected stands there
    itself, by its title, and no stored prediction has that for its version.
    """
    path = f"/api/projects/{way.number}/model-versions/"
    answer = way.ask("GET", path, params={"extended": "true"}).raise_for_status()
    stored = {found["model_version"]: found["count"] for found in answer.json()["static"]}
    total = sum(stored.values())
    count = f"{total:,} stored {'prediction' if total == 1 else 'predictions'}"
    if not stored:
        yield good("Versions", "no prediction is stored yet")
    elif way.chosen is None or way.chosen in stored:
        yield good("Versions", f"the project goes by {way.chosen or 'all versions'}, of {count}")
    else:
        title = redact_url(way.chosen)
        by = f'"{title}", which is no version' if title else "no version"
        what = f"the project goes by {by} of its {count}"
        yield warning("Versions", "version_chosen", what, newest=next(iter(stored)))


def _state(way: DoctorSession, backend: Backend) -> Check:
    url, state = redact_url(backend["url"]), backend["state"]
    if state == "CO":
        version = backend.get("model_version")
        return good("Connection", f"Label Studio reaches {url}, model version {version}")
    why = str(backend.get("error_message") or "") if state == "ER" else _reason(way, backend)
    rule = rule_of(why)
    found = f"{url} is {backend.get('readable_state', state)}: {_short(why)}"
    return broken("Connection", rule, found)


def rule_of(why: str) -> str:
    """The rule that a message of Label Studio tells; it may hold any address, and so any number."""
    return next((rule for hint, rule in HINTS if hint in why), "connection_setup")


def _reason(way: DoctorSession, backend: Backend) -> str:
    """Why it is disconnected, which Label Studio keeps to itself unless it is told to save it."""
    same = {"url": backend["url"], "project": way.number}
    answer = way.ask("PATCH", f"/api/ml/{backend['id']}", json=same, timeout=60.0)
    if answer.is_success:
        return "Read timed out the first time"
    found = answer.json()
    errors = (found.get("validation_errors") or {}).values()
    return "; ".join(str(text) for texts in errors for text in texts) or str(found.get("detail"))


def _short(why: str) -> str:
    """Without the link and the advice that Label Studio puts around it."""
    return why.split("Additional info: ")[-1].strip()[:240] or "it does not say why"


def _same(one: str, other: str) -> bool:
    """Whether two addresses lead to one server, as far as can be told from here."""
    ours, theirs = urlsplit(one), urlsplit(other)
    local = {"localhost", "127.0.0.1", "::1"}
    hosts = {ours.hostname, theirs.hostname}
    same = len(hosts) == 1 or hosts <= local
    return same and ours.port == theirs.port and ours.path.rstrip("/") == theirs.path.rstrip("/")

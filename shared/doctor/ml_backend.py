"""Checks of our server, asked from here: its address, its password, its models."""

from collections.abc import Iterator

import httpx

from shared.doctor.check import Check, broken_check, ok_check, skipped_check, warning_check
from shared.doctor.session import DoctorSession, classify_failure
from shared.errors import redact_url
from shared.media.egress import describe_error


def check_address(session: DoctorSession) -> Iterator[Check]:
    """Check that an ML backend answers at the server's address, and that it is ours."""
    url = session.shown_server_url
    try:
        health = session.server_client.get(
            f"{session.server_url}/health", timeout=session.timeout_seconds
        )
    except httpx.HTTPError as error:
        yield _report_unreachable(session, error)
        return
    # /health is open to everybody; only the other pages show whether the password is right.
    index = session.ask_server("")
    if index.status_code == 401:
        message = f"{url} answers 401: wrong user name or password"
        yield broken_check("Server", "server_auth", message)
    elif health.status_code == 404 and index.is_success and "backends" in index.text:
        names = ", ".join(f"/{name}" for name in index.json()["backends"])
        yield broken_check("Server", "server_path", f"{url}/health answers 404", names=names)
    elif not health.is_success or "status" not in health.text:
        message = f"{url}/health answers {health.status_code}"
        yield broken_check("Server", "server_other", message)
    else:
        yield _check_kind(session, index)


def _report_unreachable(session: DoctorSession, error: httpx.HTTPError) -> Check:
    url, failure = session.shown_server_url, classify_failure(error)
    if failure == "tls":
        return broken_check("Server", "server_tls", f"{url}: {describe_error(error)}")
    state = "does not answer" if failure == "timeout" else "cannot be reached"
    return broken_check("Server", "server_refused", f"{url} {state}: {error or 'timed out'}")


def _check_kind(session: DoctorSession, index: httpx.Response) -> Check:
    """Check which server it is: other ML backends predict, too, but do not say what failed."""
    url = session.shown_server_url
    is_json = "json" in index.headers.get("content-type", "")
    about = index.json() if is_json else {}
    if "prelabel" not in str(about.get("server")):
        return warning_check("Server", "server_other", f"{url} is an ML backend, but not prelabel")
    session.backend_names = list(about["backends"])
    names = ", ".join(session.backend_names)
    return ok_check("Server", f"{about['server']} at {url}: {names}")


def check_models(session: DoctorSession) -> Iterator[Check]:
    """Check that the server's models are loaded."""
    if not session.backend_names:
        yield ok_check("Models", "not known for this server; its prediction will show")
        return
    ready = session.ask_server("/ready").json()
    for name, reason in ready["failed"].items():
        yield broken_check("Models", "model_failed", f"{name}: {reason}")
    for name, state in ready["waiting"].items():
        url = redact_url(session.server_root)
        yield warning_check("Models", "model_loading", f"{name}: {state}", url=url)
    status = session.ask_server("/status").json()
    unasked = [why for name, why in status["problems"].items() if name not in ready["failed"]]
    if unasked:  # nobody named them; but a config may be meant for one
        yield skipped_check("Models", f"not served: {'; '.join(unasked)}")
    loaded = [model["model"] for model in status["models"] if model["state"] == "loaded"]
    if ready["ready"]:
        yield ok_check("Models", f"loaded: {', '.join(loaded) or 'none yet'}")

"""Our server, asked from here: whether it answers, lets us in, and has its models."""

from collections.abc import Iterator

import httpx

from shared.cli.doctor.check import Check, broken, good, warning
from shared.cli.doctor.session import DoctorSession, failure
from shared.errors import redact_url
from shared.media.egress import describe_error


def reachable(way: DoctorSession) -> Iterator[Check]:
    """Whether the server answers at its address."""
    try:
        health = way.server.get(f"{way.url}/health", timeout=way.patience)
    except httpx.HTTPError as error:
        if failure(error) == "tls":
            yield broken("Server", "server_tls", f"{way.url_shown}: {describe_error(error)}")
            return
        what = "does not answer" if failure(error) == "silent" else "cannot be reached"
        yield broken("Server", "server_refused", f"{way.url_shown} {what}: {error or 'too late'}")
        return
    index = way.server.get(way.root, timeout=way.patience)
    if index.status_code == 401:
        yield broken(
            "Server", "server_auth", f"{way.url_shown} answers 401: another name or password"
        )
        return
    if health.status_code == 404 and index.is_success and "backends" in index.text:
        names = ", ".join(f"/{name}" for name in index.json()["backends"])
        yield broken("Server", "server_path", f"{way.url_shown}/health answers 404", names=names)
        return
    if not health.is_success or "status" not in health.text:
        yield broken(
            "Server", "server_other", f"{way.url_shown}/health answers {health.status_code}"
        )
        return
    yield from _kind(way, index)


def _kind(way: DoctorSession, index: httpx.Response) -> Iterator[Check]:
    """What serves there; another ML backend can be asked for predictions, but not for reasons."""
    found = index.json() if "json" in index.headers.get("content-type", "") else {}
    if "prelabel" not in str(found.get("server")):
        yield warning(
            "Server", "server_other", f"{way.url_shown} is an ML backend, but not prelabel"
        )
        return
    way.names = list(found["backends"])
    yield good("Server", f"{found['server']} at {way.url_shown}: {', '.join(way.names)}")


def models(way: DoctorSession) -> Iterator[Check]:
    """Whether the models are loaded."""
    if not way.names:
        yield good("Models", "another server's: they are seen when it predicts")
        return
    found = way.server.get(f"{way.root}/ready", timeout=way.patience).json()
    for name, why in found["failed"].items():
        yield broken("Models", "model_failed", f"{name}: {why}")
    for name, state in found["waiting"].items():
        yield warning("Models", "model_loading", f"{name}: {state}", url=redact_url(way.root))
    status = way.server.get(f"{way.root}/status", timeout=way.patience).json()
    loaded = [model["model"] for model in status["models"] if model["state"] == "loaded"]
    if found["ready"]:
        yield good("Models", f"loaded: {', '.join(loaded) or 'none yet'}")

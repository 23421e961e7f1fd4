"""The page of the doctor: what `prelabel doctor` checks, asked by the server itself."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.doctor.check import Check
from shared.doctor.runner import STEPS, run_checks
from shared.doctor.session import DoctorSession
from shared.errors import RequestError
from shared.settings import Settings, host_and_port

# How the state of a check is coloured, as that of a model.
STYLES = {"ok": "loaded", "warning": "loading", "broken": "failed", "skipped": "waiting"}
# A server that listens on all addresses is asked at this one.
LOCAL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
# Digits of the largest id that a project can have.
MAX_DIGITS = 18


class DoctorRuns:
    """Runs the checks, once at a time: they ask Label Studio, and predict a task."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running = threading.Lock()

    def run(self, server: tuple[str, int | None], project: str) -> list[Check]:
        """Return what each check found; `server` is the address on which this server listens.

        RequestError if `project` is neither empty nor a number, or while checks are running.
        """
        number = _parse_project(project)
        host, port = server
        if port is None:
            raise RequestError(
                "The server listens on a file, where it cannot ask itself: run prelabel doctor"
            )
        if not self._running.acquire(blocking=False):
            raise RequestError("The checks are running already: wait for them to end")
        url = f"http://{host_and_port(LOCAL_ADDRESSES.get(host, host), port)}"
        session = DoctorSession(self._settings, url, number)
        try:
            return list(run_checks(session))
        finally:
            session.close()
            self._running.release()


def _parse_project(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise RequestError(
            f'"{text[:MAX_DIGITS]}" is not the number of a project: it is in the address of the'
            " project's page, /projects/NUMBER"
        )
    return int(text)


def describe_checks(checks: Sequence[Check], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of the page's template: what was found, or the steps to come."""
    states = Counter(check.state for check in checks)
    return {
        "project": fields.get("project", ""),
        "steps": [step.link for step in STEPS],
        "checks": [{"check": check, "style": STYLES[check.state]} for check in checks],
        "broken": states["broken"],
        "warnings": states["warning"],
    }

"""What a worker answers while it makes its application, and what becomes of it where that fails."""

import errno
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from shared.errors import SettingError
from shared.server.worker_app import WorkerApp

SECONDS = 60


class Making:
    """Makes an application as soon as it may."""

    def __init__(self, error: BaseException | None = None, fails: str = "") -> None:
        self.may_end = threading.Event()
        self.events: list[str] = []
        self._error = error
        self._fails = fails

    def note(self, event: str) -> None:
        self.events.append(event)
        if event == self._fails:
            raise OSError(f"it {event}")

    def __call__(self) -> Starlette:
        assert self.may_end.wait(SECONDS)
        if self._error is not None:
            raise self._error

        @asynccontextmanager
        async def lifespan(app: Starlette) -> Any:
            self.note("begins")
            yield
            self.note("ends")

        async def answer(request: Any) -> PlainTextResponse:
            return PlainTextResponse(f"the application's {request.url.path}")

        return Starlette(routes=[Route("/{path:path}", answer)], lifespan=lifespan)


@pytest.fixture
def making() -> Iterator[Making]:
    making = Making()
    yield making
    making.may_end.set()


def test_health_checks_are_answered_and_others_wait(making: Making) -> None:
    app = WorkerApp(making)
    app.when_serving(lambda: making.events.append("serves"))
    with ThreadPoolExecutor(1) as thread, TestClient(app) as client:
        answer = client.get("/health")
        assert answer.json() == {"status": "UP", "model_class": "prelabel"}
        again = client.get("/health", headers={"X-Request-ID": "no good\tid"})
        assert answer.headers["x-request-id"] != again.headers["x-request-id"] != "no good\tid"
        named = client.get("/health", headers={"X-Request-ID": "my-1"})
        assert named.headers["x-request-id"] == "my-1"
        asked = thread.submit(client.get, "/ready")
        assert client.get("/health").status_code == 200
        assert app.is_starting
        assert not asked.done()
        making.may_end.set()
        assert asked.result(SECONDS).text == "the application's /ready"
        assert client.get("/health").text == "the application's /health"
        assert making.events == ["begins", "serves"]
    assert making.events == ["begins", "serves", "ends"]


def test_an_application_that_is_made_before(making: Making) -> None:
    making.may_end.set()
    app = WorkerApp(making)
    app.make_now()
    app.when_serving(lambda: making.events.append("serves"))
    with TestClient(app) as client:
        assert client.get("/health").text == "the application's /health"
    assert making.events == ["serves", "begins", "ends"]


def test_the_end_waits_for_no_import(making: Making) -> None:
    """A request that waits for the application is told to ask again, elsewhere perhaps."""
    app = WorkerApp(making)
    with ThreadPoolExecutor(1) as thread, TestClient(app) as client:
        asked = thread.submit(client.get, "/ready")
        client.get("/health")
        assert client.portal is not None
        client.portal.call(app.drain, 1)
        assert asked.result(SECONDS).status_code == 503
        making.may_end.set()
        for thread_of_app in threading.enumerate():
            if thread_of_app.name == "make":
                thread_of_app.join(SECONDS)
        late = client.get("/ready", headers={"X-Request-ID": "my-2"})
        assert late.status_code == 503, "what comes too late does not begin"
        assert late.headers["x-request-id"] == "my-2"
    assert making.events == []


def test_files_that_run_out_are_waited_for() -> None:
    """Imports need them as connections do, which come at any time."""
    making = Making()
    making.may_end.set()
    errors = [OSError(errno.EMFILE, "Too many open files")] * 2

    def make() -> Starlette:
        if errors:
            raise errors.pop()
        return making()

    app = WorkerApp(make)
    assert app.max_connections == resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
    with TestClient(app) as client:
        assert client.get("/ready").text == "the application's /ready"
        assert app.max_connections is None


@pytest.mark.parametrize("error", [SettingError("wrong"), SystemExit(1)], ids=["ours", "exit"])
def test_a_failure_is_told(error: BaseException) -> None:
    making, failed = Making(error), threading.Event()
    app = WorkerApp(making)
    app.on_failure = failed.set
    with TestClient(app):
        assert app.failure is None
        making.may_end.set()
        assert failed.wait(SECONDS)
    assert app.failure is error


@pytest.mark.parametrize("fails", ["begins", "serves", "ends"])
def test_a_failure_of_what_belongs_to_the_start_is_told(
    fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No request gets to an application that did not start; what fails at the end is logged."""
    making, failed = Making(fails=fails), threading.Event()
    making.may_end.set()
    app = WorkerApp(making)
    app.on_failure = failed.set
    app.when_serving(partial(making.note, "serves"))
    with TestClient(app) as client:
        if fails == "ends":
            assert client.get("/ready").status_code == 200
        else:
            assert failed.wait(SECONDS)
            assert app.max_connections is not None
    assert failed.is_set() == (fails != "ends")
    assert str(app.failure) == (f"it {fails}" if failed.is_set() else "None")
    assert ("it ends" in caplog.text) == (fails == "ends")

"""The event loop never waits: what takes time runs in threads, and users do not queue."""

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp

from shared.backend.claim import Claim, ModelSpec
from shared.server import endpoints as endpoints_module
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.server.endpoints import Endpoints
from shared.server.http_messages import BodyReader, PredictRequest, StoppingError
from shared.server.metrics import ServerMetrics
from shared.server.service import MAX_INLINE_BODY_BYTES
from shared.server.worker_metrics import WorkerMetrics
from shared.settings import Settings, read_settings
from tests.tiny import TEXT_CONFIG, WordBackend, tasks

TIMEOUT_SECONDS = 20.0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 2 * TIMEOUT_SECONDS))


async def wait_for_event(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, TIMEOUT_SECONDS)


async def ask(app: ASGIApp, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Return the status and body of the response to a request."""
    sent = [{"type": "http.request", "body": body or b""}]
    got: list[Any] = []

    async def receive() -> Any:
        return sent.pop() if sent else await asyncio.Future()

    async def send(message: Any) -> None:
        got.append(message)

    method = "GET" if body is None else "POST"
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "scheme": "http"}
    await app({**scope, "raw_path": path.encode(), "http_version": "1.1"}, receive, send)
    return got[0]["status"], b"".join(message.get("body", b"") for message in got[1:])


def predict_body(*texts: str, xml: str = TEXT_CONFIG) -> bytes:
    return json.dumps({"tasks": tasks(*texts), "label_config": xml, "project": "1.1"}).encode()


class SlowLoadingBackend(WordBackend):
    """An inline model that takes time to load."""

    name = "slow"
    inline = True
    begun: ClassVar[threading.Event]
    go: ClassVar[threading.Event]

    def load(self, spec: ModelSpec) -> Any:
        self.begun.set()
        assert self.go.wait(TIMEOUT_SECONDS)

    def reads_inline(self, claim: Claim) -> bool:
        return True


def test_health_is_answered_while_an_inline_model_loads() -> None:
    SlowLoadingBackend.begun, SlowLoadingBackend.go = threading.Event(), threading.Event()
    service = BackendService([SlowLoadingBackend])
    app = create_app(service, read_settings(Settings))

    async def scenario() -> None:
        setup = json.dumps({"project": "1.1", "schema": TEXT_CONFIG}).encode()
        assert (await ask(app, "/setup", setup))[0] == 200
        prediction = asyncio.create_task(ask(app, "/predict", predict_body("a b")))
        await wait_for_event(SlowLoadingBackend.begun)
        assert (await ask(app, "/health"))[0] == 200
        assert not prediction.done()
        SlowLoadingBackend.go.set()
        status, answer = await prediction
        assert status == 200
        assert json.loads(answer)["results"][0]["result"]

    run(scenario)
    request = PredictRequest(tasks=tasks("a"), label_config=TEXT_CONFIG)
    assert service.answers_inline(request, 0, None), "from now on the event loop itself answers"
    assert service.answers_inline(request, MAX_INLINE_BODY_BYTES, None)
    assert not service.answers_inline(request, MAX_INLINE_BODY_BYTES + 1, None), "a large body"
    many = TEXT_CONFIG.replace("$text", "$text[0]" * 40)
    assert service.plans_for(many)[0].is_inline
    request = PredictRequest(tasks=tasks("a"), label_config=many)
    assert not service.answers_inline(request, 0, None), "but not with many variables"


class HeldBackend(WordBackend):
    """Reading a text that starts with `hold` waits for `go`."""

    name = "held"
    begun: ClassVar[threading.Semaphore]
    go: ClassVar[threading.Event]

    def read(self, *given: Any) -> Any:
        text = super().read(*given)
        if text.startswith("hold"):
            self.begun.release()
            assert self.go.wait(TIMEOUT_SECONDS)
        return text


@pytest.mark.parametrize("labels", [1, 1000])
def test_interactive_request_does_not_queue_behind_bulk_requests(
    labels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The label config, and so the body, is small or large."""
    monkeypatch.setattr(endpoints_module, "MAX_CONCURRENT_REQUESTS", 2)
    HeldBackend.begun, HeldBackend.go = threading.Semaphore(0), threading.Event()
    app = create_app(BackendService([HeldBackend]), read_settings(Settings))
    more = "".join(f'<Label value="Other {number}"/>' for number in range(labels))
    own = predict_body("a", xml=TEXT_CONFIG.replace("</Labels>", f"{more}</Labels>"))
    assert (len(own) > MAX_INLINE_BODY_BYTES) == (labels > 1)

    async def scenario() -> None:
        padded = predict_body("hold", "hold", "x" * MAX_INLINE_BODY_BYTES)
        bulk = [asyncio.create_task(ask(app, "/predict", padded)) for _ in range(3)]
        for _ in range(4):
            assert await asyncio.to_thread(HeldBackend.begun.acquire, timeout=TIMEOUT_SECONDS)
        status, _ = await asyncio.wait_for(ask(app, "/predict", own), TIMEOUT_SECONDS)
        assert status == 200
        assert not any(request.done() for request in bulk)
        HeldBackend.go.set()
        assert [status for status, _ in await asyncio.gather(*bulk)] == [200] * 3

    run(scenario)


def test_health_is_answered_while_metrics_are_read_and_written(tmp_path: Path) -> None:
    """Named pipes replace the workers' files: opening one waits for its other end."""
    read, written = tmp_path / "1.prom", tmp_path / f"{os.getpid()}.new"
    os.mkfifo(read)
    os.mkfifo(written)
    app = create_app(
        BackendService([WordBackend]), read_settings(Settings), WorkerMetrics(tmp_path)
    )
    answered = threading.Event()

    def rescue() -> None:
        """Open the pipes in the end, or an event loop that waits would never return."""
        while not answered.wait(TIMEOUT_SECONDS):
            for pipe in (read, written):
                os.close(os.open(pipe, os.O_RDWR))

    threading.Thread(target=rescue, daemon=True).start()

    async def scenario() -> None:
        async with app.router.lifespan_context(app):
            figures = asyncio.create_task(ask(app, "/metrics"))
            for _ in range(3):
                assert (await asyncio.wait_for(ask(app, "/health"), TIMEOUT_SECONDS))[0] == 200
            assert not figures.done()
            answered.set()
            own = await asyncio.to_thread(written.read_bytes)
            await asyncio.to_thread(read.write_bytes, own)
            status, text = await figures
            assert status == 200
            assert b'worker="1"' in text

    run(scenario)


def test_metrics_of_a_worker_that_has_just_ended_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.prom").symlink_to(tmp_path / "it is gone")
    metrics = ServerMetrics(WorkerMetrics(tmp_path))
    assert f'worker="{os.getpid()}"'.encode() in metrics.render()


def test_metrics_are_published_again_after_a_failure(tmp_path: Path) -> None:
    """As on a disk that is full for a while."""
    folder = tmp_path / "not there yet"
    app = create_app(BackendService([WordBackend]), read_settings(Settings), WorkerMetrics(folder))
    written = folder / f"{os.getpid()}.prom"

    async def scenario() -> None:
        async with app.router.lifespan_context(app):
            await ask(app, "/health")
            await asyncio.sleep(0.1)
            folder.mkdir()
            while not written.exists():
                await asyncio.sleep(0.05)

    run(scenario)


def test_sender_of_a_body_is_told_that_the_server_stops() -> None:
    app = create_app(BackendService([WordBackend]), read_settings(Settings))
    endpoints: Endpoints = app.state.endpoints

    async def scenario() -> None:
        begun, got = asyncio.Event(), list[Any]()

        async def receive() -> Any:
            if not begun.is_set():
                begun.set()
                return {"type": "http.request", "body": b'{"tasks": [', "more_body": True}
            return await asyncio.Future()

        async def send(message: Any) -> None:
            got.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        sending = asyncio.create_task(app({**scope, "query_string": b""}, receive, send))
        await begun.wait()
        await asyncio.sleep(0)
        endpoints.drain(TIMEOUT_SECONDS)
        await sending
        assert got[0]["status"] == 503
        assert json.loads(got[1]["body"]) == {"detail": "The server is stopping; ask again"}
        assert dict(got[0]["headers"])[b"connection"] == b"close"

    run(scenario)


def test_body_that_begins_while_the_server_stops_is_hardly_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.server.http_messages.STOPPING_BODY_SECONDS", 0.05)

    async def scenario() -> None:
        reader = BodyReader(read_settings(Settings))
        scope: dict[str, Any] = {"type": "http", "headers": []}
        reader.stop()

        async def receive() -> Any:
            return await asyncio.Future()

        with pytest.raises(StoppingError):
            await reader.read(Request(scope, receive))

        async def whole() -> Any:
            return {"type": "http.request", "body": b"{}"}

        assert await reader.read(Request(scope, whole)) == b"{}"

    run(scenario)

"""Connections that send too much, or nothing, before a password could be checked."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.server import http_limits, worker
from shared.server.worker_app import WorkerApp
from tests.serving import Served, free_port, served

HEAD_START = b"GET /health HTTP/1.1\r\nHost: x\r\n"
READY_REQUEST = b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED_HEAD = b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


OK = PlainTextResponse("ok")
Lifespan = Literal["on", "off"]


@contextmanager
def run_protocol(seconds: float, app: ASGIApp = OK, lifespan: Lifespan = "off") -> Iterator[int]:
    """Serve an application with our protocol and this time limit; yield the port."""
    port, before = free_port(), http_limits.HEAD_SECONDS
    config = uvicorn.Config(
        app,
        port=port,
        http=http_limits.LimitedHttpProtocol,
        log_config=None,
        lifespan=lifespan,
    )
    server = uvicorn.Server(config)
    http_limits.HEAD_SECONDS = seconds
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield port
    finally:
        server.should_exit, http_limits.HEAD_SECONDS = True, before
        thread.join(30)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def receive_all(connection: socket.socket) -> bytes:
    """Return all that still arrives until the other side closes."""
    received = b""
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            received += more
    return received


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("heads") / "log"
    with served("pattern", log=log, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one") as running:
        running.wait()
        yield running


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (HEAD_START, b"X-A: " + b"a" * 1000 + b"\r\n"),
        (HEAD_START + b"X-A: ", b"a" * 1000),
        (b"GET /", b"a" * 1000),
        (CHUNKED_HEAD + b"0\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
        (CHUNKED_HEAD + b"1;x=", b"a" * 1000),
    ],
    ids=["many headers", "one header", "address", "trailers", "extension of a chunk"],
)
def test_head_without_end(server: Served, start: bytes, part: bytes) -> None:
    """Each is cut off early: 10 MB are never accepted."""
    with connect(int(server.url.rsplit(":", 1)[1])) as connection, pytest.raises(ConnectionError):
        connection.sendall(start + part * 10_000)
    assert httpx.get(f"{server.url}/health", timeout=30).status_code == 200


def test_large_head_and_body_within_the_limits(server: Served) -> None:
    headers = {"X-A": "a" * 60_000}
    auth = ("ann", "one")
    body = {"tasks": [], "label_config": "<View>" + " " * 900_000 + "</View>"}
    for _ in range(2):  # also on a connection that is kept alive
        answer = httpx.post(
            f"{server.url}/predict", json=body, headers=headers, auth=auth, timeout=30
        )
        assert (answer.status_code, answer.json()) == (200, {"results": []})


def test_refusal_has_status_431() -> None:
    with run_protocol(30) as port, connect(port) as connection:
        connection.sendall(HEAD_START + b"a" * (http_limits.MAX_HEAD_BYTES + 1 - len(HEAD_START)))
        assert receive_all(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [b"", HEAD_START, b"G"], ids=["nothing", "half a head", "a byte"])
def test_idle_connection_is_closed(sent: bytes) -> None:
    with run_protocol(0.5) as port, connect(port) as connection:
        connection.sendall(sent)
        assert receive_all(connection) == b""


def test_second_head_on_a_connection_has_the_same_time_limit() -> None:
    with run_protocol(0.5) as port, connect(port) as connection:
        connection.sendall(HEAD_START + b"\r\n" + HEAD_START)
        assert receive_all(connection).startswith(b"HTTP/1.1 200 OK")


def test_slow_head_in_time_is_answered() -> None:
    with run_protocol(30) as port, connect(port) as connection:
        for byte in HEAD_START + b"Connection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert receive_all(connection).endswith(b"ok")


def test_many_requests_wait_for_an_application_in_the_making() -> None:
    """And health checks are answered meanwhile, on connections that come after theirs."""
    may_end = threading.Event()

    def make() -> Starlette:
        may_end.wait(60)
        return Starlette(routes=[Route("/{path}", OK)])

    with ExitStack() as stack:
        port = stack.enter_context(run_protocol(30, WorkerApp(make), "on"))
        waiting = [stack.enter_context(connect(port)) for _ in range(100)]
        try:
            for connection in waiting:
                connection.sendall(READY_REQUEST)
            health = stack.enter_context(connect(port))
            health.sendall(HEAD_START + b"Connection: close\r\n\r\n")
            assert b'"UP"' in receive_all(health)
        finally:
            may_end.set()
        for connection in waiting:
            assert receive_all(connection).endswith(b"ok")


def test_server_uses_the_limited_protocol() -> None:
    assert worker.PrelabelWorker.CONFIG_KWARGS["http"] is http_limits.LimitedHttpProtocol


@pytest.mark.slow
def test_half_open_connections_do_not_stop_the_server(tmp_path: Path) -> None:
    """More connections than the process may open; it answers again once they are closed."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        log = tmp_path / "log"
        with served("pattern", log=log) as server:
            server.wait()
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            port = int(server.url.rsplit(":", 1)[1])
            connections = [connect(port) for _ in range(400)]
            for connection in connections:
                with suppress(ConnectionError):
                    connection.sendall(HEAD_START)
            server.wait("/health", 60)
            for connection in connections:
                connection.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

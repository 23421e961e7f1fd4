"""Connections that send too much, or nothing, before their sender could be asked for a password."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from shared.server import http_limits, worker
from tests.serving import Served, free_port, served

START = b"GET /health HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def listening(seconds: float) -> Iterator[int]:
    """Our protocol before a small application, waiting so long for heads; its port."""
    port, before = free_port(), http_limits.HEAD_SECONDS
    config = uvicorn.Config(
        PlainTextResponse("ok"),
        port=port,
        http=http_limits.LimitedHttpProtocol,
        log_config=None,
        lifespan="off",
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


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def rest(open_one: socket.socket) -> bytes:
    """All that still comes, until the other side closes."""
    found = b""
    with suppress(ConnectionError):
        while more := open_one.recv(65536):
            found += more
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("heads") / "log"
    with served("pattern", log=log, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one") as running:
        running.wait()
        yield running


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (START, b"X-A: " + b"a" * 1000 + b"\r\n"),
        (START + b"X-A: ", b"a" * 1000),
        (b"GET /", b"a" * 1000),
        (CHUNKED + b"0\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
        (CHUNKED + b"1;x=", b"a" * 1000),
    ],
    ids=["many headers", "one header", "address", "trailers", "extension of a chunk"],
)
def test_head_without_end(server: Served, start: bytes, part: bytes) -> None:
    """Each is cut off long before it is a burden: 10 MB are never taken."""
    with connected(int(server.url.rsplit(":", 1)[1])) as one, pytest.raises(ConnectionError):
        one.sendall(start + part * 10_000)
    assert httpx.get(f"{server.url}/health", timeout=30).status_code == 200


def test_large_head_and_body_within_the_caps(server: Served) -> None:
    headers = {"X-A": "a" * 60_000}
    auth = ("ann", "one")
    body = {"tasks": [], "label_config": "<View>" + " " * 900_000 + "</View>"}
    for _ in range(2):  # also on a connection that is kept
        answer = httpx.post(
            f"{server.url}/predict", json=body, headers=headers, auth=auth, timeout=30
        )
        assert (answer.status_code, answer.json()) == (200, {"results": []})


def test_refusal_says_why() -> None:
    with listening(30) as port, connected(port) as one:
        one.sendall(START + b"a" * (http_limits.MAX_HEAD_BYTES + 1 - len(START)))
        assert rest(one).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [b"", START, b"G"], ids=["nothing", "half a head", "a byte"])
def test_idle_connection_is_closed(sent: bytes) -> None:
    with listening(0.5) as port, connected(port) as one:
        one.sendall(sent)
        assert rest(one) == b""


def test_second_head_on_a_kept_connection_must_come_too() -> None:
    with listening(0.5) as port, connected(port) as one:
        one.sendall(START + b"\r\n" + START)
        assert rest(one).startswith(b"HTTP/1.1 200 OK")


def test_slow_head_that_comes_in_time() -> None:
    with listening(30) as port, connected(port) as one:
        for byte in START + b"Connection: close\r\n\r\n":
            one.sendall(bytes([byte]))
        assert rest(one).endswith(b"ok")


def test_the_server_speaks_it() -> None:
    assert worker.PrelabelWorker.CONFIG_KWARGS["http"] is http_limits.LimitedHttpProtocol


@pytest.mark.slow
def test_half_open_connections_do_not_close_the_server(tmp_path: Path) -> None:
    """More than the process may have; it answers again once they have been left."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        log = tmp_path / "log"
        with served("pattern", log=log) as server:
            server.wait()
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            port = int(server.url.rsplit(":", 1)[1])
            held = [connected(port) for _ in range(400)]
            for one in held:
                with suppress(ConnectionError):
                    one.sendall(START)
            server.wait("/health", 60)
            for one in held:
                one.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

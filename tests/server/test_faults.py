"""A killed worker, a stopping server and slow senders do not disturb other requests."""

import os
import select
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.conftest import PATIENCE_SECONDS, region_texts

# More than the requests that are predicted at once.
SLOW_CLIENTS = 100
# Those of them that send one byte a second.
DRIBBLING_CLIENTS = 10


def test_killed_worker_loses_only_its_own_requests(gated: Any) -> None:
    with gated() as server:
        inside = server.start_predict("hold:never a")
        server.wait_until(lambda: "hold:never a" in server.log("began"))
        [worker] = server.log("loaded")
        os.kill(int(worker), signal.SIGKILL)
        assert region_texts(server.predict("b", "c")) == ["b", "c"], (
            "the socket outlives the worker"
        )
        with pytest.raises(httpx.HTTPError):
            inside.result()
        first, second = server.log("loaded")
        assert first != second


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels tell a worker nothing")
def test_a_killed_master_leaves_no_worker_behind(gated: Any) -> None:
    with gated() as server:
        server.predict("a")
        server.server.process.kill()
        server.wait_until(lambda: not _can_connect(server.server.url))


def test_stopping_server_finishes_running_requests_and_starts_none(gated: Any) -> None:
    with gated() as server:
        running = server.start_predict("hold:door a", "b")
        server.wait_until(lambda: "hold:door a" in server.log("began"))
        server.server.process.terminate()
        server.wait_until(lambda: not _can_connect(server.server.url))
        with pytest.raises(httpx.HTTPError):
            server.predict("new")
        server.open("door")
        assert region_texts(running.result()) == ["hold:door", "b"]
        assert server.server.process.wait(PATIENCE_SECONDS) == 0
        assert sorted(server.log("ran")) == ["b", "hold:door a"]


def test_stopping_server_does_not_wait_for_bodies(gated: Any) -> None:
    with gated(BODY_TIMEOUT="600") as server, _connect(server.server.url) as client:
        client.sendall(HEAD + b'{"tasks": [')
        time.sleep(0.2)  # nothing shows that the head has arrived; if it has not, all the same
        server.server.process.terminate()
        assert server.server.process.wait(PATIENCE_SECONDS) == 0


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def test_slow_senders_occupy_no_worker(gated: Any) -> None:
    with gated(BODY_TIMEOUT="3") as server, ExitStack() as stack:
        clients = [stack.enter_context(_connect(server.server.url)) for _ in range(SLOW_CLIENTS)]
        for number, client in enumerate(clients):
            client.sendall(HEAD + (b"" if number % 2 else b'{"tasks": ['))
        start = time.monotonic()
        assert region_texts(server.predict("a", "b")) == ["a", "b"]
        assert httpx.get(f"{server.server.url}/health", timeout=5).status_code == 200
        with ThreadPoolExecutor(DRIBBLING_CLIENTS) as threads:
            dribbled = threads.map(_send_bytes_slowly, clients[:DRIBBLING_CLIENTS])
            assert region_texts(server.predict("c")) == ["c"]
            answers = [*dribbled, *map(_receive_all, clients[DRIBBLING_CLIENTS:])]
        assert time.monotonic() - start < 30, "a byte more each second does not help"
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
        assert all(b"did not arrive in BODY_TIMEOUT=3 s" in answer for answer in answers)


def _can_connect(url: str) -> bool:
    try:
        _connect(url).close()
    except OSError:
        return False
    return True


def _connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS)


def _send_bytes_slowly(client: socket.socket) -> bytes:
    """Send a byte each second until the server answers; return what it sends."""
    while not select.select([client], [], [], 1.0)[0]:
        client.sendall(b" ")
    return _receive_all(client)


def _receive_all(client: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    blocks = []
    while block := client.recv(65536):
        blocks.append(block)
    return b"".join(blocks)

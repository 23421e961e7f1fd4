"""A proxy in front of a real Label Studio, which refuses, loses and delays what a test names."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, Literal

import httpx

# Of a connection, and not of the whole way: they are not passed on.
OWN_HEADERS = {"host", "connection", "accept-encoding", "content-length", "transfer-encoding"}
OWN_ANSWER_HEADERS = {*OWN_HEADERS, "content-encoding"}


@dataclass(frozen=True)
class Fault:
    """What becomes of a request.

    - answer: it gets `status` and nothing else happens
    - lost: the connection is closed, and Label Studio never gets the request
    - unanswered: Label Studio carries it out; then the connection is closed
    - late: the connection is closed; Label Studio gets the request when `send_late` is called
    - cut: Label Studio carries it out; half of its answer arrives
    """

    kind: Literal["answer", "lost", "unanswered", "late", "cut"]
    status: int = 503


# The fault of a request, by its method, its path and its number from 1; None for none.
Plan = Callable[[str, str, int], Fault | None]


def no_faults(method: str, path: str, number: int) -> None:
    """Let all requests pass."""


class FaultProxy:
    """Passes requests on to `target` from `with` on, but for those that `plan` has a fault for."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.plan: Plan = no_faults
        self.faults = 0
        self._count = 0
        self._lock = threading.Lock()
        self._late: list[Callable[[], Any]] = []
        self._server = self._serve(0)
        self.port = self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    @contextmanager
    def failing(self, plan: Plan) -> Iterator[None]:
        """Have a plan of faults inside the block; there has to be at least one."""
        self.plan, self.faults, self._count = plan, 0, 0
        try:
            yield
        finally:
            self.plan = no_faults
        assert self.faults > 0

    def stop(self) -> None:
        """Refuse all connections, as a Label Studio that is not running does."""
        self._close()

    def start(self) -> None:
        """Accept connections again."""
        self._server = self._serve(self.port)

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self._count += 1
            number = self._count
        fault = self.plan(method, path, number)  # which may wait for other requests
        if fault is not None:
            self.faults += 1
        return fault

    def keep(self, send: Callable[[], Any]) -> None:
        self._late.append(send)

    def send_late(self) -> None:
        """Let Label Studio carry out what is late."""
        while self._late:
            self._late.pop()()

    def _serve(self, port: int) -> ThreadingHTTPServer:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request on one connection: HTTP/1.0."""

    owner: FaultProxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.owner.next_fault(self.command, self.path)
        if fault is None or fault.kind in {"unanswered", "cut"}:
            answer = self._pass_on(body)
            if fault is None or fault.kind == "cut":
                self._answer(answer, is_cut=fault is not None)
        elif fault.kind == "answer":
            self._answer(httpx.Response(fault.status, text="busy"), is_cut=False)
        elif fault.kind == "late":
            self.owner.keep(lambda: self._pass_on(body))

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815  # their names

    def _pass_on(self, body: bytes) -> httpx.Response:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in OWN_HEADERS}
        url = self.owner.target + self.path
        return httpx.request(
            self.command, url, content=body, headers=headers, timeout=120, trust_env=False
        )

    def _answer(self, answer: httpx.Response, is_cut: bool) -> None:
        content = answer.content
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in OWN_ANSWER_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if is_cut else content)

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


def every(number: int, faults: Sequence[Fault]) -> Plan:
    """Return the plan by which every so many-th request fails, by one fault after the other."""
    turns = cycle(faults)
    return lambda method, path, count: next(turns) if count % number == 0 else None


def the_first(count: int, method: str, part: str, fault: Fault) -> Plan:
    """Return the plan by which the first requests of a method and a path with a part fail."""
    left = iter(range(count))

    def plan(asked: str, path: str, number: int) -> Fault | None:
        is_meant = asked == method and part in path
        return fault if is_meant and next(left, None) is not None else None

    return plan

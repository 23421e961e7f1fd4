"""A web server on this machine, whose paths misbehave in all ways that a test may need."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

S = TypeVar("S", bound=ThreadingHTTPServer)
Page = Callable[["Visit"], None]


class Visit(BaseHTTPRequestHandler):
    """One request: `pages` says what each path does."""

    protocol_version = "HTTP/1.1"
    server: "Web"

    def do_GET(self) -> None:
        self.server.visits.append((self.path, self.headers.get("Authorization")))
        path = self.path.partition("?")[0]
        page = self.server.pages.get(path)
        with suppress(ConnectionError):
            page(self) if page else self.send(404)
        self.close_connection = True

    def do_POST(self) -> None:
        """Read the body first: whoever closes a connection before that resets it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.rfile = io.BytesIO(body)
        self.do_GET()

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.begin(status, len(body), **headers)
        self.wfile.write(body)

    def begin(self, status: int, length: int | None = None, **headers: str) -> None:
        """The head of an answer, of which the body may or may not follow."""
        self.send_response(status)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Web(ThreadingHTTPServer):
    """The server, with its address and who came."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Visit)
        self.url = f"http://{host}:{self.server_port}"
        self.visits: list[tuple[str, str | None]] = []
        self.pages: dict[str, Page] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


def web(host: str = "127.0.0.1") -> AbstractContextManager[Web]:
    return running(Web(host))


@contextmanager
def running(server: S) -> Iterator[S]:
    """Let a server answer in a thread during the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(body: bytes, status: int = 200, **headers: str) -> Page:
    return lambda visit: visit.send(status, body, **headers)


def leads_to(url: str, status: int = 302) -> Page:
    return lambda visit: visit.send(status, Location=url)


def drips(body: bytes, pause: float) -> Page:
    """Byte for byte, with a pause after each."""

    def page(visit: Visit) -> None:
        visit.begin(200, len(body))
        for byte in body:
            visit.wfile.write(bytes([byte]))
            time.sleep(pause)

    return page


def pours(blocks: int) -> Page:
    """Without a length, many blocks of 10,000 bytes."""

    def page(visit: Visit) -> None:
        visit.begin(200)
        for _ in range(blocks):
            visit.wfile.write(bytes(10_000))

    return page


def promises(length: int, pause: float) -> Page:
    """A length in the head, and then nothing."""

    def page(visit: Visit) -> None:
        visit.begin(200, length)
        time.sleep(pause)

    return page


def keeps_silent(pause: float) -> Page:
    return lambda visit: time.sleep(pause)


def hangs_up(visit: Visit) -> None:
    visit.connection.close()

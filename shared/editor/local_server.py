"""A server on this machine alone for the editor's page, its files, and the media of a task."""

import mimetypes
import re
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from typing_extensions import Self

from shared.editor.assets import EditorAssets
from shared.editor.page import page_headers, render_page

HOST = "127.0.0.1"
# What a task's file may do if it is opened as a page of its own: nothing.
MEDIA_POLICY = "sandbox; default-src 'none'"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")

File = tuple[bytes, str]


class LocalServer:
    """A context manager: serves until it is left, under an address that nobody can guess."""

    def __init__(self, assets: EditorAssets) -> None:
        self._assets = assets
        self._media: dict[str, File] = {}
        self._published = 0
        self._first: tuple[str, dict[str, Any]] | None = None
        self._files: dict[str, File] = {}
        self._secret = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer((HOST, 0), self._make_handler())
        self._server.daemon_threads = True
        self.origin = f"http://{HOST}:{self._server.server_port}"
        self.page_url = f"{self.origin}/{self._secret}/page"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="editor", daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def publish(self, content: bytes, kind: str) -> str:
        """Serve a file of a task until `clear`; return its address."""
        # Never one of an earlier task: the page still has the picture that it had there.
        self._published += 1
        number = str(self._published)
        self._media[number] = (content, kind)
        return f"{self.origin}/{self._secret}/media/{number}"

    def clear(self) -> None:
        """Forget the files of the last task."""
        self._media.clear()

    def set_first_task(self, config: str, task: dict[str, Any]) -> None:
        """Let the page begin with a task."""
        self._first = (config, task)

    def find(self, path: str) -> tuple[File, dict[str, str]] | None:
        """Return what is served at a path, and its headers; None if there is nothing."""
        secret, _, rest = path.partition("?")[0].removeprefix("/").partition("/")
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return None
        if rest == "page":
            page = render_page(self._assets, f"/{secret}/files/", *(self._first or ()))
            return (page.encode(), "text/html"), page_headers()
        folder, _, name = rest.partition("/")
        if folder == "media" and name in self._media:
            file = self._media[name]
            return file, {"Content-Type": file[1], "Content-Security-Policy": MEDIA_POLICY}
        return self._find_asset(name) if folder == "files" else None

    def _find_asset(self, name: str) -> tuple[File, dict[str, str]] | None:
        path = self._assets.folder / name
        if "/" in name or "\\" in name or name.startswith(".") or not path.is_file():
            return None
        if name not in self._files:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            kind = "text/javascript" if name.endswith(".js") else kind
            self._files[name] = (path.read_bytes(), kind)
        file = self._files[name]
        return file, {"Content-Type": file[1], "Cache-Control": "max-age=3600"}

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                same = self.headers.get("Host") == server.origin.removeprefix("http://")
                found = server.find(self.path) if same else None
                if found is None:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                (content, _), headers = found
                self._answer(content, headers)

            def _answer(self, content: bytes, headers: dict[str, str]) -> None:
                part = _RANGE.fullmatch(self.headers.get("Range", ""))
                first = int(part[1]) if part else 0
                last = min(int(part[2]), len(content) - 1) if part and part[2] else len(content) - 1
                whole = part is None or first > last
                self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
                if not whole:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                body = content if whole else content[first : last + 1]
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Accept-Ranges", "bytes")
                self.end_headers()
                try:
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):  # the browser has enough
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Keep the terminal for what the command says."""

        return Handler

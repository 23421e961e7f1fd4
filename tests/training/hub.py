"""A stand-in for Hugging Face on this machine: creating a repository, and one commit to it.

Requests and answers: https://huggingface.co/docs/hub/api and what `huggingface_hub` sends; large
files by https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.media.web import running

TOKEN = "hf_writes"
LARGE = ".bin"


class Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Hub"

    def do_GET(self) -> None:
        self.answer(404, {"error": "Repository not found"})

    def do_PUT(self) -> None:
        body = self.read()
        self.server.large[hashlib.sha256(body).hexdigest()] = body
        self.answer(200, {})

    def do_POST(self) -> None:
        body = self.read()
        if self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self.create(json.loads(body))
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self.answer(200, {"files": [mode_of(file["path"]) for file in files]})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self.answer(200, self.lfs_batch(json.loads(body)))
        elif "/commit/" in self.path:
            self.commit(body)
        else:
            self.answer(404, {"error": f"the stand-in has no {self.path}"})

    def create(self, asked: dict[str, Any]) -> None:
        repo = "/".join(filter(None, (asked.get("organization"), asked["name"])))
        known = repo in self.server.repositories
        self.server.repositories.setdefault(
            repo, bool(asked.get("private") or asked.get("visibility") == "private")
        )
        self.answer(409 if known else 200, {"url": f"{self.server.url}/{repo}"})

    def lfs_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        action = {"upload": {"href": f"{self.server.url}/upload"}}
        return {
            "transfer": "basic",
            "objects": [one | {"actions": action} for one in asked["objects"]],
        }

    def commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.server.commits.append(value["summary"])
            elif line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.large[value["oid"]]
        repo = self.path.removeprefix("/api/models").split("/commit/")[0]
        url = f"{self.server.url}{repo}/commit/1"
        self.answer(200, {"commitUrl": url, "commitOid": "1" * 40})

    def read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def mode_of(path: str) -> dict[str, Any]:
    mode = "lfs" if path.endswith(LARGE) else "regular"
    return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": None}


class Hub(ThreadingHTTPServer):
    """The server, with what was uploaded."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.commits: list[str] = []


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with running(Hub()) as hub:
        yield hub


@pytest.fixture
def connected(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """What HF_ENDPOINT, HF_HOME and HF_HUB_DISABLE_XET say when the library is imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return server

"""Faults for the tests of `prelabel doctor`: our server, a proxy, and backends that fail."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import uvicorn

from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.doctor.check import Check
from shared.doctor.runner import run_checks
from shared.doctor.session import DoctorSession
from shared.errors import ModelError
from shared.pipeline import runtime
from shared.results import ImageSize, Rectangle, Region, TextSpan, region
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, changed_environment, read_settings

from .label_studio import LabelStudio, free_port

TEXT = """<View><Labels name="label" toName="text"><Label value="Date"/></Labels>
  <Text name="text" value="$text"/></View>"""
IMAGE = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="Spot"/></RectangleLabels></View>"""


class FakeBackend(Backend):
    """Labels the first word of a text; its subclasses fail in one way each."""

    name = "fake"
    fills = frozenset({("Labels", "Text")})
    label: ClassVar[str | None] = None

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        claim.labels_for(["date"])
        label = self.label or next(iter(claim.control.labels), "Date")
        yield region(TextSpan(0, 4), {claim.control: [label]}, output, 0.5)


class WithoutPackage(FakeBackend):
    """Cannot serve here."""

    name = "without_package"
    modules = ("no_such_package",)


class Spots(Backend):
    """A box in the corner of each image."""

    name = "spots"
    fills = frozenset({("RectangleLabels", "Image")})

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [ImageSize(image.shape[1], image.shape[0]) for image in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        yield region(Rectangle(0, 0, 1, 1), {claim.control: ["Spot"]}, output, 0.5)


class OtherLabel(FakeBackend):
    label = "Nonsense"


class OtherText(FakeBackend):
    """Gives a span a text that the task does not have there."""

    text = "an other date"

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        yield region(TextSpan(0, len(self.text)), {claim.control: ["Date"]}, self.text, 0.5)


class LongerText(OtherText):
    text = "a text that is longer than the task's"


class Raises(FakeBackend):
    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        raise RuntimeError("out of order")


class Unloadable(FakeBackend):
    def load(self, spec: ModelSpec) -> Any:
        raise ModelError("fake: FAKE_MODEL=none.pt is not in MODEL_DIR")


class UnloadableAtStart(Unloadable):
    def default_specs(self) -> Iterable[ModelSpec]:
        yield ModelSpec("fake", "fake")


class Slow(FakeBackend):
    """Has an event `go`, which its subclasses wait for at different points."""

    go: ClassVar[threading.Event] = threading.Event()


class SlowToLoad(Slow):
    def default_specs(self) -> Iterable[ModelSpec]:
        yield ModelSpec("fake", "fake")

    def load(self, spec: ModelSpec) -> Any:
        self.go.wait(60)


class SlowToInfer(Slow):
    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        self.go.wait(60)
        return items


class SlowWeights(Slow):
    """Takes longer to find its weights than /setup waits, a quarter of a second."""

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        time.sleep(1.5)
        return ()


@contextmanager
def serving(
    *classes: type[Backend], port: int = 0, named: Sequence[str] | None = None, **variables: str
) -> Iterator[str]:
    """Run our server with these backends and environment variables; yield its address.

    All backends are named to serve, or those that are given.
    """
    names = [cls.name for cls in classes] if named is None else named
    port = port or free_port()
    Slow.go.clear()
    with changed_environment(variables):
        runtime.reset_runtime()
        app = create_app(BackendService(classes, named=names), read_settings(Settings))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            Slow.go.set()
            server.should_exit = True
            thread.join(30)


# Gives the status and body that a proxy itself answers to a method and path; None to forward it.
Override = Callable[[str, str], "tuple[int, Any] | None"]


@contextmanager
def proxy(behind: str, override: Override) -> Iterator[str]:
    """Run a proxy in front of a server; yield its address."""

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            own = override(self.command, self.path)
            status, content = own if own else self.behind(body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815
        do_PATCH = do_GET  # noqa: N815

        def behind(self, body: bytes) -> tuple[int, bytes]:
            kept = ("Authorization", "Content-Type", "Accept")
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            address = f"{behind}{self.path}"
            with httpx.Client(trust_env=False, verify=False, timeout=60.0) as client:
                answer = client.request(self.command, address, content=body, headers=headers)
            return answer.status_code, answer.content

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class DoctorHarness:
    """A real Label Studio, and what a user does there before running the doctor."""

    def __init__(self, server: LabelStudio) -> None:
        self.server = server

    def run_doctor(self, url: str, project: int | None = None, **options: Any) -> list[Check]:
        """Return all checks; `token` is LABEL_STUDIO_API_KEY, `basic_…` are settings, too."""
        label_studio_url = options.pop("label_studio_url", self.server.url)
        token = options.pop("token", self.server.token)
        more = {name: options.pop(name) for name in list(options) if name.startswith("basic_")}
        settings = Settings(label_studio_url=label_studio_url, label_studio_api_key=token, **more)
        session = DoctorSession(settings, url, project, **options)
        try:
            return list(run_checks(session))
        finally:
            session.close()

    def create_project(self, config: str = TEXT, *data: Any, url: str = "", **connect: Any) -> int:
        """Create a project with tasks of these data, and connect a server to it."""
        number = self.server.create_project("The doctor's", config)
        if data:
            self.server.import_tasks(number, [{"data": entry} for entry in data])
        if url:
            self.server.connect_backend(number, url, **connect)
        return number

    def move_backend(self, project: int, url: str) -> None:
        """Change the connected server's address, as if it had moved or the DNS had changed.

        It is changed in the database, since Label Studio would check the new address first.
        """
        with closing(sqlite3.connect(self.server.folder / "label_studio.sqlite3")) as database:
            database.execute("update ml_mlbackend set url = ? where project_id = ?", (url, project))
            database.commit()

    def enable_tokens(self, **switched: bool) -> None:
        """Switch the kinds of tokens on or off, for the whole organization."""
        kinds = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False} | switched
        self.server.request("POST", "/api/jwt/settings", json=kinds)

"""A Label Studio server of the tests' own, started from its environment, driven over HTTP."""

import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from label_studio_sdk import LabelStudio as Client
from typing_extensions import Self

Json = dict[str, Any]

DATABASE = "label_studio.sqlite3"
EMAIL, PASSWORD = "e2e@example.com", "e2e-password"

SETTINGS = {
    "ML_BLOCK_LOCAL_IP": "false",  # backends on loopback: both are needed, see /api/ml and webhooks
    "SSRF_PROTECTION_ENABLED": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "false",
}
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
"""All that the server sees of our environment: CI=true, for one, makes it load a linter."""

# Django refuses more of them in one request.
MOST_FILES = 100
ALL_TASKS = {"all": True, "excluded": []}


class LabelStudioError(RuntimeError):
    """The server did not start, or answered with an error status."""


class LabelStudio:
    """A context manager: a running server, a user logged in, and short methods of its API."""

    def __init__(
        self,
        environment: Path,
        *,
        timeout: float = 300.0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`timeout`: seconds for the start; `settings`: more variables of the server.

        The first start of an environment makes the database: half a minute on an idle machine,
        three measured on a busy one. It is kept, without a user, and later starts need a quarter.
        """
        self._environment = environment
        self._timeout = timeout
        self._settings = {**SETTINGS, **(settings or {})}
        self._stack = ExitStack()
        self.url = ""
        self.token = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix="label-studio-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._copy_database()
            self._process = self._start()
            stack.callback(stop, self._process)
            self._wait()
            self._http = stack.enter_context(
                httpx.Client(base_url=self.url, timeout=120.0, trust_env=False)
            )
            self._log_in()
            self.token = self.request("POST", "/api/token/")["token"]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # The server

    def _copy_database(self) -> None:
        """Begin with the environment's database; make that, unless another process does already.

        A folder that cannot be written only costs time: the start makes a database then.
        """
        kept = kept_database(self._environment)
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not kept.exists():
                    self._make_database(kept)
            shutil.copy(kept, self.folder / DATABASE)

    def _make_database(self, kept: Path) -> None:
        """Keep the database that a command makes before it finds that there is no user."""
        command = [str(executable(self._environment)), "user", "--username", EMAIL]
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self._timeout,
        )
        if ran.returncode:
            raise LabelStudioError(f"The database is not made:\n{ran.stdout[-4000:]}")
        part = kept.with_suffix(".part")
        part.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(self.folder / DATABASE)) as made,
            closing(sqlite3.connect(part)) as target,
        ):
            made.backup(target)
        part.replace(kept)

    def _start(self) -> "subprocess.Popen[bytes]":
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *(str(executable(self._environment)), "start", "--no-browser"),
            *("--internal-host", "127.0.0.1", "--port", str(port)),
            *("--username", EMAIL, "--password", PASSWORD),
        ]
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _variables(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        places = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
        ours = dict.fromkeys((*places, "LABEL_STUDIO_BASE_DATA_DIR"), str(self.folder))
        return {**inherited, **ours, **self._settings}

    def _wait(self) -> None:
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                code = self._process.returncode
                raise LabelStudioError(f"Label Studio ended with {code}:\n{self.log()}")
            try:
                if httpx.get(
                    f"{self.url}/health", timeout=5.0, trust_env=False, verify=False
                ).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.25)
        raise LabelStudioError(f"Label Studio is not up after {self._timeout:.0f} s:\n{self.log()}")

    def log(self, lines: int = 60) -> str:
        """The end of the server's log."""
        text = (self.folder / "server.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    # The user

    def _log_in(self) -> None:
        self._http.get("/user/login/")
        form = {"email": EMAIL, "password": PASSWORD}
        csrf = {"csrfmiddlewaretoken": self._http.cookies["csrftoken"]}
        answer = self._http.post("/user/login/", data={**form, **csrf})
        if answer.status_code != 302:
            raise LabelStudioError(f"Log-in of {EMAIL} answers {answer.status_code}")
        self._http.headers["X-CSRFToken"] = self._http.cookies["csrftoken"]

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the session: with them a browser is logged in."""
        return dict(self._http.cookies)

    @cached_property
    def client(self) -> Client:
        """The SDK's client, with the personal access token."""
        connections = self._stack.enter_context(httpx.Client(timeout=120.0, trust_env=False))
        return Client(base_url=self.url, api_key=self.token, httpx_client=connections)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One call of the API as the user; the JSON of the answer."""
        answer = self._http.request(method, path, **options)
        if not answer.is_success:
            raise LabelStudioError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content else None

    # Projects and tasks

    def create_project(self, title: str, label_config: str) -> int:
        """The new project's id. A title has at least three characters."""
        body = {"title": title, "label_config": label_config}
        return int(self.request("POST", "/api/projects/", json=body)["id"])

    def upload(self, project_id: int, paths: Sequence[Path]) -> list[int]:
        """Uploads files as a user does; the ids of the tasks made, whose data is /data/upload/…"""
        tasks: list[int] = []
        for first in range(0, len(paths), MOST_FILES):
            with ExitStack() as stack:
                # Of two files under one field name the server takes the last.
                files = [
                    (str(number), (path.name, stack.enter_context(path.open("rb"))))
                    for number, path in enumerate(paths[first : first + MOST_FILES])
                ]
                tasks += self._import(project_id, files=files)
        unnamed = [task for task in tasks if "$undefined$" in self.task(task)["data"]]
        if unnamed:
            raise LabelStudioError(f"Tasks {unnamed} have no data key: the label config names none")
        return tasks

    def import_tasks(self, project_id: int, tasks: Sequence[Json]) -> list[int]:
        """Imports tasks as JSON, `{"data": …, "predictions": […]}`; their ids."""
        return self._import(project_id, json=list(tasks))

    def _import(self, project_id: int, **body: Any) -> list[int]:
        path = f"/api/projects/{project_id}/import"
        answer = self.request("POST", path, params={"return_task_ids": "true"}, **body)
        return list(answer["task_ids"])

    def task(self, task_id: int) -> Json:
        answer: Json = self.request("GET", f"/api/tasks/{task_id}/")
        return answer

    def predictions(
        self, project_id: int | None = None, *, task_id: int | None = None
    ) -> list[Json]:
        """The stored predictions of a project or of a task, oldest first."""
        wanted = {"project": project_id, "task": task_id}
        params = {name: value for name, value in wanted.items() if value is not None}
        found: list[Json] = self.request("GET", "/api/predictions/", params=params)
        return sorted(found, key=lambda prediction: int(prediction["id"]))

    # ML backends

    def connect_backend(
        self,
        project_id: int,
        url: str,
        basic_auth: tuple[str, str] | None = None,
        interactive: bool = False,
    ) -> Json:
        """Adds an ML backend to the project (the server asks its /health and /setup); its JSON."""
        body = {"project": project_id, "url": url, "title": url, "is_interactive": interactive}
        if basic_auth:
            user, password = basic_auth
            body |= {"auth_method": "BASIC_AUTH", "basic_auth_user": user}
            body |= {"basic_auth_pass": password}
        answer: Json = self.request("POST", "/api/ml/", json=body)
        return answer

    def backend_state(self, backend_id: int) -> Json:
        """The backend after a new /health and /setup: see `readable_state`, `error_message`."""
        answer: Json = self.request("GET", f"/api/ml/{backend_id}")
        return answer

    def retrieve_predictions(self, project_id: int, task_ids: Iterable[int] | None = None) -> Json:
        """The action "Retrieve predictions" of the data manager; returns when it is done."""
        items = ALL_TASKS if task_ids is None else {"all": False, "included": list(task_ids)}
        params = {"id": "retrieve_tasks_predictions", "project": project_id}
        answer: Json = self.request(
            "POST", "/api/dm/actions/", params=params, json={"selectedItems": items}
        )
        return answer

    def interactive(self, backend_id: int, task_id: int, context: Json) -> Json:
        """What the editor asks for a region drawn: `context` is `{"result": [regions]}`."""
        body = {"task": task_id, "context": context}
        path = f"/api/ml/{backend_id}/interactive-annotating"
        answer: Json = self.request("POST", path, json=body)
        return answer


def executable(environment: Path) -> Path:
    """The label-studio command of a virtual environment."""
    return environment / "bin" / "label-studio"


def kept_database(environment: Path) -> Path:
    """Where this release's database without users is kept: making it is most of a start."""
    releases = environment.glob("lib/python*/site-packages/label_studio-*.dist-info")
    release = next((folder.stem for folder in releases), "label_studio")
    return environment / "share" / "prelabel" / f"{release}-without-users.sqlite3"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stop(process: "subprocess.Popen[bytes]", patience: float = 10.0) -> None:
    """Ends the process and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue

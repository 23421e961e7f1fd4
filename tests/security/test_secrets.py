"""A real server gets secrets in every input: no response and no line of the log shows one."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.settings import child_environment
from tests.media.web import Web, hangs_up, leads_to, says, web
from tests.serving import Served, served

REPO = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # importing the libraries of NER takes long

SECRET = "hunter2"
CONFIG = Example.load(find_backends()["pattern"]).label_config
BY_URL = CONFIG.replace('value="$text"', 'value="$text" valueType="url"')
AUTH = (f"user-{SECRET}", f"pass-{SECRET}")

FORBIDDEN = (SECRET, "Traceback", str(REPO), "site-packages", ".py", "root:x:")


@pytest.fixture(scope="module")
def site() -> Iterator[Web]:
    with web() as server:
        for status in (401, 403, 404, 500):
            server.pages[f"/{status}"] = says(f"{SECRET}".encode(), status)
        server.pages["/gone"] = hangs_up
        server.pages["/elsewhere"] = leads_to(f"http://u:{SECRET}@10.0.0.1/{SECRET}?{SECRET}")
        server.pages["/nowhere"] = leads_to(f"nothing:{SECRET}")
        server.pages["/api/token/refresh/"] = says(SECRET.encode(), 500)
        server.pages["/data/upload/a.txt"] = says(SECRET.encode(), 403)
        server.pages["/bytes"] = says(b"\xff" + SECRET.encode())
        yield server


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(SECRET)
    (folder / "ca").mkdir()
    return folder


@pytest.fixture(scope="module")
def server(site: Web, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    variables = {
        "BASIC_AUTH_USER": AUTH[0],
        "BASIC_AUTH_PASS": AUTH[1],
        "WEBHOOK_SECRET": f"hook-{SECRET}",
        "LABEL_STUDIO_URL": site.url,
        "LABEL_STUDIO_API_KEY": f"key-{SECRET}",
        "LOCAL_FILES_ROOT": str(root),
        "MODEL_DIR": str(root),
        "CACHE_DIR": str(root / "cache"),
        "NER_MODEL": str(root / "model"),
        "HF_TOKEN": f"hf-{SECRET}",
        "LOG_LEVEL": "DEBUG",
    }
    log = tmp_path_factory.mktemp("server") / "log"
    with served("pattern", "ner", log=log, **variables) as running:
        running.wait("/health")
        yield running


def task_values(site: Web) -> list[str]:
    """Return values that a task may have where its text is expected."""
    host = site.url.removeprefix("http://")
    paths = ("401", "403", "404", "500", "gone", "elsewhere", "nowhere", "bytes", "none")
    urls = [f"http://u:{SECRET}@{host}/{path}?sig={SECRET}#{SECRET}" for path in paths]
    return [
        *urls,
        f"http://u:{SECRET}@10.1.2.3/?{SECRET}",
        f"http://u:{SECRET}@nowhere.invalid/?{SECRET}",
        f"http://u:{SECRET}@[bad/?{SECRET}",
        f"ftp://u:{SECRET}@host/?{SECRET}",
        f"s3://u:{SECRET}@bucket/a.txt?{SECRET}",
        f"/data/upload/a.txt?{SECRET}",
        "/data/local-files/?d=../../../../etc/passwd",
        "/data/local-files/?d=ca",
        f"data:text/plain;{SECRET}",
        f"data:text/plain;base64,{SECRET}!",
    ]


def all_requests(site: Web) -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and options of each request."""
    tasks = [{"id": n, "data": {"text": value}} for n, value in enumerate(task_values(site))]
    params = {"login": SECRET, "password": SECRET, "context": None}
    given = {"tasks": tasks, "label_config": BY_URL, "project": "1.1", "params": params}
    echoed = {"tasks": [{"id": 1, "data": {"text": f"{SECRET} 3 May {SECRET}"}}, {"id": 2}]}
    setup = {"schema": CONFIG, "access_token": SECRET, "hostname": SECRET, "project": SECRET}
    bad = {"content": f'{{"tasks": "{SECRET}", "label_config": 1'.encode()}
    wrong = base64.b64encode(f"u:{SECRET}".encode()).decode()
    wrong_headers = {"X-Webhook-Secret": f"no-{SECRET}", "Authorization": f"Basic {wrong}"}
    event = {"action": f"{SECRET}", "project": {"id": 1, "title": SECRET}}
    return [
        ("POST", "/predict", {"json": given}),
        ("POST", "/predict", {"json": given | {"params": {"context": {"result": [SECRET]}}}}),
        ("POST", "/predict", {"json": given | echoed | {"label_config": CONFIG}}),
        ("POST", "/predict", {"json": given | {"label_config": f"<View>{SECRET}</Vie>"}}),
        ("POST", "/predict", {"json": given | {"tasks": SECRET}}),
        ("POST", "/predict", bad),
        ("POST", "/setup", {"json": setup}),
        ("POST", "/setup", bad),
        ("POST", "/webhook", {"json": event}),
        ("POST", "/webhook", {"json": event, "headers": wrong_headers}),
        ("GET", f"/{SECRET}?token={SECRET}", {"headers": {"Authorization": f"Basic {wrong}"}}),
        ("GET", "/status", {"headers": {"Authorization": f"Bearer {SECRET}"}}),
        ("GET", "/status", {}),
        ("GET", "/ready", {}),
        ("GET", "/metrics", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/versions", {}),
    ]


def test_no_secret_in_any_response_or_in_the_log(server: Served, site: Web, root: Path) -> None:
    answers = []
    with httpx.Client(base_url=server.url, auth=AUTH, timeout=60) as client:
        for method, path, options in all_requests(site):
            auth = {} if "Authorization" not in options.get("headers", {}) else {"auth": None}
            answers.append(client.request(method, path, **options, **auth))
    assert {answer.status_code for answer in answers} >= {200, 401, 422}
    failed = answers[12].json()["failures"]["counts"]
    assert failed["pattern:fetch"] >= 15, "each value was tried"
    # A region contains the task's text, which goes back to its sender.
    echoed = answers.pop(2)
    assert "3 May" in echoed.text
    for answer in answers:
        for word in (*FORBIDDEN, str(root)):
            assert word not in answer.text, f"{answer.request.url.path}: {answer.text[:2000]}"
    log = server.log.read_text()
    assert "refused" in log
    assert "fetched" in log
    for word in (*FORBIDDEN, str(root)):
        lines = [line for line in log.splitlines() if word in line]
        assert lines == [], word


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABEL_STUDIO_URL", f"ftp://u:{SECRET}@host"),
        ("LABEL_STUDIO_URL", f"http://u:{SECRET}@host:port"),
    ],
)
def test_no_secret_when_the_server_cannot_start(name: str, value: str) -> None:
    others = {"BASIC_AUTH_PASS": SECRET, "LABEL_STUDIO_API_KEY": SECRET, "WEBHOOK_SECRET": SECRET}
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "serve", "pattern", "--port", "0"],
        env=child_environment(others | {name: value}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode != 0
    assert name in ran.stderr
    for word in FORBIDDEN:
        assert word not in ran.stdout + ran.stderr

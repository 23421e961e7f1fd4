"""What starts trainings, and that nobody waits for it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.backend.base import Backend
from shared.jobs.job import JobState
from shared.jobs.job_store import JobStore
from shared.server import training_triggers
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings
from tests.jobs.conftest import _no_process_stays as _no_process_stays
from tests.media.web import Visit, Web, web
from tests.server.own_models import wait_until
from tests.training.words import WordsBackend

CREATED = "2026-01-31T12:00:00.123456Z"
SEVEN = "7.1769860800"
PROJECT = {"id": 7, "created_at": CREATED, "label_config": "<View/>"}


@pytest.fixture
def label_studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """What Label Studio answers for project 7; the settings name it."""
    with web() as site:
        described = {"id": 7, "created_at": CREATED, "title": "Seven", "label_config": "<View/>"}

        def answer(visit: Visit) -> None:
            visit.send(200, json.dumps(described).encode(), Content_Type="application/json")

        site.pages["/api/projects/7/"] = answer
        monkeypatch.setenv("LABEL_STUDIO_URL", site.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "legacy")
        yield site


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestClient]]:
    """Return a function that serves a backend with variables."""
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    monkeypatch.setattr(training_triggers, "find_backend", {"words": WordsBackend}.get)
    opened: list[TestClient] = []

    def serve(backend: type[Backend] = WordsBackend, **variables: str) -> TestClient:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        read_settings.cache_clear()
        app = create_app(BackendService([backend]), read_settings(Settings))
        opened.append(TestClient(app))
        return opened[-1].__enter__()

    yield serve
    for one in opened:
        one.__exit__(None, None, None)


def jobs(tmp_path: Path) -> list[Any]:
    return JobStore(tmp_path / "training").list_jobs()


def press(client: TestClient, **changes: Any) -> dict[str, Any]:
    body = {"action": "START_TRAINING", "project": PROJECT | changes}
    answer = client.post("/webhook", json=body)
    assert answer.status_code == 201
    return dict(answer.json())


def test_the_button_makes_one_job_however_often_it_is_clicked(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    served = client()
    answers, seconds = [], []
    for _ in range(5):
        start = time.perf_counter()
        answers.append(press(served))
        seconds.append(time.perf_counter() - start)
    assert answers == [{"status": "training queued"}] * 5
    assert min(seconds) < 0.2  # a busy machine may hold up one
    wait_until(lambda: jobs(tmp_path))
    store = JobStore(tmp_path / "training")
    [job] = [job for job in jobs(tmp_path) if job.state is not JobState.cancelled][:1]
    assert (job.kind, job.key, job.arguments) == ("training", SEVEN, {"project": 7})
    # One that runs, and one more that waits, at most.
    assert len(jobs(tmp_path)) <= 2
    [reported] = served.get("/status").json()["training"]["projects"].items()
    assert reported[0] == SEVEN
    assert reported[1]["last_job"]["id"] in {job.id for job in store.list_jobs()}


@pytest.mark.parametrize(
    ("backend", "variables", "missing"),
    [
        (WordsBackend, {}, "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY must be set to train"),
        (WordsBackend, {"LABEL_STUDIO_URL": "http://localhost:1"}, "LABEL_STUDIO_API_KEY must be"),
        (
            PatternBackend,
            {"LABEL_STUDIO_URL": "http://localhost:1", "LABEL_STUDIO_API_KEY": "x"},
            "nothing that serves here can be trained: pattern",
        ),
    ],
    ids=["nothing is set", "no token", "nothing trainable"],
)
def test_what_is_missing_is_said(
    backend: type[Backend],
    variables: dict[str, str],
    missing: str,
    client: Callable[..., TestClient],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = client(backend, **variables)
    assert press(served)["status"].startswith(f"not started: {missing}")
    report = served.get("/status").json()["training"]
    assert report["obstacle"].startswith(missing)
    assert report["projects"][SEVEN]["obstacle"].startswith(missing)
    assert f"project {SEVEN} is not trained: {missing}" in caplog.text
    assert jobs(tmp_path) == []


@pytest.mark.parametrize(
    ("project", "found"),
    [
        (None, '"project.id" should be a positive number, found nothing'),
        ({"id": "7; rm", "created_at": CREATED}, '"project.id" should be a positive number'),
        ({"id": 7}, '"project.created_at" should be a time'),
    ],
    ids=["no project", "no number", "no time"],
)
def test_a_webhook_without_its_project_starts_nothing(
    project: Any,
    found: str,
    client: Callable[..., TestClient],
    label_studio: Web,
    tmp_path: Path,
) -> None:
    answer = client().post("/webhook", json={"action": "START_TRAINING", "project": project})
    assert answer.status_code == 201
    assert answer.json()["status"].startswith(f"not started: {found}")
    assert jobs(tmp_path) == []


def test_a_project_of_another_label_studio_is_not_trained(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    served = client()
    press(served, created_at="2020-01-01T00:00:00Z")
    # 2020-01-01: 50 years of 365 days and 12 leap days, 18262 days of 86400 s.
    key = f"7.{18262 * 86400}"

    def obstacle() -> str:
        found = served.get("/status").json()["training"]["projects"].get(key, {})
        return str(found.get("obstacle", ""))

    wait_until(obstacle)
    assert obstacle() == (
        f"project {key} is of another Label Studio than LABEL_STUDIO_URL, which has {SEVEN}"
        " (id and time of creation)"
    )
    assert jobs(tmp_path) == []


def test_no_address_of_a_request_is_asked(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    with web() as other:
        press(client(), url=other.url, hostname=other.url, title=other.url)
        wait_until(lambda: jobs(tmp_path))
        assert other.visits == []
    assert {path for path, _ in label_studio.visits} >= {"/api/projects/7/"}


def event(action: str, **keys: Any) -> dict[str, Any]:
    return {"action": action, "project": PROJECT, "task": {"id": 1}, **keys}


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (event("ANNOTATION_CREATED", annotation={"id": 1}), 1),
        (event("ANNOTATION_UPDATED", annotation={"id": 1}), 1),
        (event("ANNOTATION_DELETED", annotation={"id": 1}), 1),
        (event("ANNOTATIONS_CREATED", annotation=[], annotations=[{"id": 1}, {"id": 2}]), 2),
        (event("ANNOTATIONS_DELETED", annotations=[{"id": n} for n in range(4)]), 4),
        (event("TASKS_CREATED", tasks=[{"id": 1}]), 0),
        (event("PROJECT_UPDATED"), 0),
        (event("ANNOTATIONS_DELETED", annotations="all"), 0),
    ],
    ids=lambda value: value["action"].lower() if isinstance(value, dict) else None,
)
def test_changed_annotations_are_counted(
    body: dict[str, Any], changes: int, client: Callable[..., TestClient], label_studio: Web
) -> None:
    served = client(TRAIN_EACH_N_UPDATES="100")
    answer = served.post("/webhook", json=body)
    assert answer.json() == {"status": "counted" if changes else "ignored"}

    def counted() -> Any:
        projects = served.get("/status").json()["training"]["projects"]
        return projects.get(SEVEN, {}).get("changes", 0)

    wait_until(lambda: counted() == changes)


def test_enough_changes_start_a_training(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    served = client(START_TRAINING_EACH_N_UPDATES="3")
    for number in range(2):
        served.post("/webhook", json=event("ANNOTATION_CREATED", annotation={"id": number}))
    time.sleep(0.2)
    assert jobs(tmp_path) == []
    served.post("/webhook", json=event("ANNOTATION_UPDATED", annotation={"id": 1}))
    wait_until(lambda: jobs(tmp_path))
    assert [job.key for job in jobs(tmp_path)] == [SEVEN]


def test_nothing_is_counted_unless_it_is_asked_for(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    answer = client().post("/webhook", json=event("ANNOTATION_CREATED", annotation={"id": 1}))
    assert answer.json() == {"status": "ignored"}
    assert not (tmp_path / "training").exists()


def test_a_file_in_the_place_of_the_jobs_is_said_in_the_status(
    client: Callable[..., TestClient], tmp_path: Path
) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "jobs").write_text("no folder")
    server = client()
    report = server.get("/status").json()["training"]
    assert report["obstacle"].endswith("is no folder: TRAIN_DIR must name a folder")
    answer = server.get("/jobs")
    assert answer.status_code == 409
    assert "is no folder" in answer.json()["detail"]


def test_a_slow_label_studio_holds_up_no_webhook(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    answer = label_studio.pages["/api/projects/7/"]

    held = threading.Event()

    def wait(visit: Visit) -> None:
        held.wait(60)
        answer(visit)

    label_studio.pages["/api/projects/7/"] = wait
    served = client()
    served.get("/health")
    start = time.perf_counter()
    assert press(served) == press(served) == {"status": "training queued"}
    assert time.perf_counter() - start < 30
    held.set()
    wait_until(lambda: jobs(tmp_path))


def test_the_password_is_asked_for(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    served = client(BASIC_AUTH_USER="u", BASIC_AUTH_PASS="p", WEBHOOK_SECRET="s")
    body = {"action": "START_TRAINING", "project": PROJECT}
    assert served.post("/webhook", json=body).status_code == 401
    assert jobs(tmp_path) == []
    assert served.post("/webhook", json=body, headers={"X-Webhook-Secret": "s"}).is_success
    assert served.post("/webhook", json=body, auth=("u", "p")).is_success


def test_a_page_of_another_site_starts_nothing(
    client: Callable[..., TestClient], label_studio: Web, tmp_path: Path
) -> None:
    served = client()
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        body = {"action": "START_TRAINING", "project": PROJECT}
        assert served.post("/webhook", json=body, headers=headers).status_code == 403
    assert jobs(tmp_path) == []

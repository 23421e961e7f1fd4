"""Jobs that predict projects of a real Label Studio: started, killed, cancelled, and given up."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.server.prediction_job import start_prediction
from shared.settings import Settings, read_settings
from tests.jobs.conftest import _no_process_stays as _no_process_stays
from tests.server.own_models import wait_until

from .fault_proxy import Fault, FaultProxy
from .label_studio import LabelStudio
from .test_work import check_each_once
from .test_work_faults import PREDICTIONS, make_project
from .test_work_faults import proxy as proxy

WAIT_SECONDS = 300


@pytest.fixture
def settings(
    proxy: FaultProxy, label_studio: LabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Those of a server whose Label Studio is behind the proxy."""
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    monkeypatch.setenv("LABEL_STUDIO_URL", proxy.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
    read_settings.cache_clear()
    return read_settings(Settings)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The server."""
    service = BackendService([PatternBackend], named=["pattern"])
    with TestClient(create_app(service, settings)) as opened:
        yield opened


@pytest.fixture
def store(settings: Settings) -> JobStore:
    return JobStore(settings.train_dir)


def ended(store: JobStore, job_id: str) -> Job:
    wait_until(lambda: store.find(job_id).is_finished, WAIT_SECONDS)
    return store.find(job_id)


def log_has(store: JobStore, job_id: str, text: str) -> Callable[[], bool]:
    log = store.folder(job_id).log
    return lambda: log.exists() and text in log.read_text()


def test_a_job_that_is_killed_goes_on_where_it_was(
    client: TestClient, store: JobStore, proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    """It is killed while it stores, and Label Studio fails before that and afterwards."""
    project = make_project(label_studio, 40)
    body = {"kind": "prediction", "project": project}
    held, killed = threading.Event(), threading.Event()
    stored: list[str] = []

    def plan(method: str, path: str, number: int) -> Fault | None:
        if PREDICTIONS not in path:
            return Fault("answer", 429) if number % 7 == 0 else None
        stored.append(path)
        if len(stored) == 2:
            held.set()
            killed.wait(WAIT_SECONDS)
        return Fault("unanswered") if len(stored) == 1 else None

    with proxy.failing(plan):
        job = client.post("/jobs", json=body)
        assert job.status_code == 202
        again = client.post("/jobs", json=body)
        assert again.json()["id"] == job.json()["id"]
        assert held.wait(WAIT_SECONDS)
        pid = store.find(job.json()["id"]).pid
        [child] = psutil.Process(pid).children()
        child.kill()
        killed.set()
        done = ended(store, job.json()["id"])
    assert (done.state, done.attempts) == (JobState.done, 2), done.message
    check_each_once(label_studio, project, 40)


def test_a_job_is_cancelled_while_label_studio_is_away(
    client: TestClient, store: JobStore, proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    project = make_project(label_studio, 3)
    job = client.post("/jobs", json={"kind": "prediction", "project": project}).json()["id"]
    proxy.stop()
    try:
        wait_until(log_has(store, job, "Label Studio does not answer on reading it"), WAIT_SECONDS)
        assert client.post(f"/jobs/{job}/cancel").status_code == 202
        assert ended(store, job).state is JobState.cancelled
    finally:
        proxy.start()
    assert label_studio.predictions(project) == []


def test_a_job_whose_label_studio_is_gone_fails(
    settings: Settings, store: JobStore, proxy: FaultProxy
) -> None:
    proxy.stop()
    try:
        impatient = settings.model_copy(update={"predict_patience": 0.5})
        impatient.model_fields_set.add("predict_patience")
        job = start_prediction(impatient, 7, "7.1700000000")
        failed = ended(store, job.id)
    finally:
        proxy.start()
    assert failed.state is JobState.failed
    assert failed.message == (
        "project 7: Label Studio does not answer on reading it: ConnectError; it was given up after"
        " 0.5 s. What was predicted until then is stored: start it again once Label"
        " Studio answers"
    )

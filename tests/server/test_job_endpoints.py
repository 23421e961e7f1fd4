"""The endpoints of jobs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.jobs.job_store import JobStore
from tests.jobs.conftest import FUNCTIONS
from tests.jobs.conftest import _no_process_stays as _no_process_stays
from tests.media.web import Web
from tests.server.own_models import wait_until
from tests.server.test_training_triggers import CREATED as CREATED
from tests.server.test_training_triggers import SEVEN
from tests.server.test_training_triggers import client as client
from tests.server.test_training_triggers import label_studio as label_studio

Serve = Callable[..., TestClient]


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "training")


def waiting_job(store: JobStore, key: str = SEVEN) -> Any:
    return store.create("training", key, f"{FUNCTIONS}count", {})


def test_there_are_no_jobs_at_first(client: Serve, store: JobStore) -> None:
    assert client().get("/jobs").json() == {"jobs": []}
    assert not store.path.exists()


def test_jobs_are_listed_the_newest_first(client: Serve, store: JobStore) -> None:
    ids = [waiting_job(store, key).id for key in ("7.1", "8.1", "9.1")]
    found = client().get("/jobs").json()["jobs"]
    assert [job["id"] for job in found] == ids[::-1]
    assert {"state": "waiting", "kind": "training", "key": "9.1"}.items() <= found[0].items()


def test_a_job_is_shown(client: Serve, store: JobStore) -> None:
    job = waiting_job(store)
    assert client().get(f"/jobs/{job.id}").json()["id"] == job.id


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/cancel"])
@pytest.mark.parametrize("unknown", ["20200101-000000-000000", "..%2F..%2Fetc", "x" * 300])
def test_an_unknown_job_names_those_that_there_are(
    path: str, unknown: str, client: Serve, store: JobStore
) -> None:
    job, served = waiting_job(store), client()
    ask = served.post if path.endswith("cancel") else served.get
    answer = ask(path.format(unknown))
    assert answer.status_code == 404
    if "%2F" not in unknown:  # which is more than one part of a path
        assert job.id in answer.json()["detail"]


def test_nothing_is_written_for_an_unknown_job(client: Serve, store: JobStore) -> None:
    served = client()
    for path in ("/jobs/1", "/jobs/1/cancel"):
        answer = served.post(path) if path.endswith("cancel") else served.get(path)
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": 'there is no job "1"; there are none'},
        )
    assert not store.train_dir.exists()


def test_a_waiting_job_is_cancelled(client: Serve, store: JobStore) -> None:
    job, served = waiting_job(store), client()
    for _ in range(2):
        answer = served.post(f"/jobs/{job.id}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")


@pytest.mark.parametrize("project", [7, "7", SEVEN], ids=["number", "id", "key"])
def test_a_training_is_started(
    project: Any, client: Serve, label_studio: Web, store: JobStore
) -> None:
    answer = client().post("/jobs", json={"project": project, "controls": ["topic"]})
    assert answer.status_code == 202
    [job] = store.list_jobs()
    assert (answer.json()["id"], job.key) == (job.id, SEVEN)
    assert job.arguments == {"project": 7, "controls": ["topic"]}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 422, '"project" is missing in the body'),
        ({"project": "seven"}, 409, '"project" should be the id of a project'),
        (
            {"project": True},
            422,
            '"project": it should be the id of a project, or its key, found bool',
        ),
        ({"project": "7.1"}, 409, f"which has {SEVEN}"),
        ({"project": 8}, 409, "project 8"),
        ({"project": 7, "controls": "topic"}, 422, '"controls"'),
    ],
    ids=["no project", "no number", "a truth", "another time", "no such project", "no list"],
)
def test_what_is_wrong_with_a_request_is_said(
    body: dict[str, Any],
    status: int,
    message: str,
    client: Serve,
    label_studio: Web,
    store: JobStore,
) -> None:
    answer = client().post("/jobs", json=body)
    assert (answer.status_code, message in answer.json()["detail"]) == (status, True), answer.text
    assert store.list_jobs() == []


def test_jobs_are_for_who_has_the_password(client: Serve, store: JobStore) -> None:
    job = waiting_job(store)
    served = client(BASIC_AUTH_USER="u", BASIC_AUTH_PASS="p", WEBHOOK_SECRET="s")
    secret = {"X-Webhook-Secret": "s"}
    for path in ("/jobs", f"/jobs/{job.id}", "/jobs/health", "/jobs/webhook"):
        for headers in ({}, secret):
            answer = served.get(path, headers=headers)
            assert (answer.status_code, job.id in answer.text) == (401, False), path
    for path in ("/jobs", f"/jobs/{job.id}/cancel"):
        assert served.post(path, json={"project": 7}, headers=secret).status_code == 401
    assert served.get("/jobs", auth=("u", "p")).is_success


def test_a_page_of_another_site_neither_starts_nor_ends_a_job(
    client: Serve, label_studio: Web, store: JobStore
) -> None:
    job, served = waiting_job(store), client()
    foreign = ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-site"})
    for headers in (*foreign, {"Origin": "http://["}):
        for path in ("/jobs", f"/jobs/{job.id}/cancel"):
            assert served.post(path, json={"project": 7}, headers=headers).status_code == 403
    assert [found.state.value for found in store.list_jobs()] == ["waiting"]
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert served.post(f"/jobs/{job.id}/cancel", headers=own).is_success


def test_metrics_have_no_label_for_each_job(client: Serve, store: JobStore) -> None:
    job, served = waiting_job(store), client()
    served.get(f"/jobs/{job.id}")
    served.post(f"/jobs/{job.id}/cancel")
    text = served.get("/metrics").text
    assert 'route="/jobs/{id}"' in text
    assert 'route="/jobs/{id}/cancel"' in text
    assert job.id not in text


def test_jobs_are_described_in_openapi(client: Serve) -> None:
    paths = client().get("/openapi.json").json()["paths"]
    assert {"/jobs", "/jobs/{id}", "/jobs/{id}/cancel"} <= paths.keys()
    assert [one["name"] for one in paths["/jobs/{id}"]["get"]["parameters"]] == ["id"]


def test_a_server_takes_up_what_a_killed_one_has_left(client: Serve, store: JobStore) -> None:
    """A job without a process runs again once a server starts."""
    job = waiting_job(store)
    store.folder(job.id)
    with store.lock():
        store.change(job, submitted=time.time() - 3600)
    client()
    wait_until(lambda: store.find(job.id).is_finished, 60)
    assert store.find(job.id).attempts == 1

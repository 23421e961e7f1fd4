"""The page of trainings, and its buttons."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.jobs.job_store import JobStore
from shared.jobs.submit import submit_job
from shared.pipeline import runtime
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings
from shared.training.version_store import VersionStore
from tests.jobs.conftest import FUNCTIONS
from tests.jobs.conftest import _no_process_stays as _no_process_stays
from tests.media.web import Web
from tests.server.own_models import XML, LearnedWordBackend, add_version, wait_until
from tests.server.pages.test_pages import HTML, SAME, SCRIPT, message
from tests.server.test_training_triggers import SEVEN
from tests.server.test_training_triggers import client as serve_trainable
from tests.server.test_training_triggers import label_studio as label_studio
from tests.tiny import tasks

__all__ = ["serve_trainable"]
PAGE = "/pages/training"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    runtime.reset_runtime()
    app = create_app(BackendService([LearnedWordBackend]), read_settings(Settings))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
def versions(tmp_path: Path) -> VersionStore:
    return VersionStore(tmp_path / "training")


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "training")


def press(client: TestClient, action: str, headers: dict[str, str] = SAME, **fields: str) -> Any:
    """Open the page and send a form as its buttons do."""
    page = client.get(PAGE, headers=SAME)
    token = client.cookies["prelabel_form"]
    assert f'value="{token}"' in page.text or "<form" not in page.text
    form = {"token": token, "action": action} | fields
    return client.post(PAGE, data=form, headers=headers)


def served_word(client: TestClient) -> str:
    body = {"tasks": tasks("some text"), "label_config": XML, "project": SEVEN}
    [answer] = client.post("/predict", json=body).json()["results"]
    return str(answer["result"][0]["meta"]["text"][0])


def test_a_version_is_promoted_and_rolled_back(client: TestClient, versions: VersionStore) -> None:
    add_version(versions, SEVEN, "one")
    assert served_word(client) == "base"
    page = client.get(PAGE, headers=HTML).text
    assert "v1-one00000" in page
    assert "candidate" in page
    answer = press(client, "promote", project=SEVEN, control="label", version="v1-one00000")
    assert (answer.status_code, answer.headers["location"]) == (303, "training")
    assert wait_until(lambda: served_word(client) == "one") < 5
    assert ">serves</span>" in client.get(PAGE, headers=HTML).text
    assert press(client, "rollback", project=SEVEN, control="label").status_code == 303
    assert wait_until(lambda: served_word(client) == "base") < 5


def test_a_job_is_shown_and_cancelled(client: TestClient, jobs: JobStore) -> None:
    job = jobs.create("training", SEVEN, f"{FUNCTIONS}count", {})
    page = client.get(PAGE, headers=HTML).text
    assert job.id in page
    assert "waiting" in page
    assert press(client, "cancel", job=job.id).status_code == 303
    assert jobs.find(job.id).state.value == "cancelled"
    assert "Cancel" not in client.get(PAGE, headers=HTML).text


def test_a_running_job_shows_its_progress(client: TestClient, jobs: JobStore) -> None:
    """A real process of its own reports its epochs."""
    arguments = {"steps": 5, "seconds": 0.3}
    settings = Settings(train_dir=jobs.train_dir)
    submit_job(settings, "training", SEVEN, f"{FUNCTIONS}count", arguments)
    wait_until(lambda: "epoch 2 of 5" in client.get(PAGE, headers=HTML).text, 60)
    wait_until(lambda: ">done</span>" in client.get(PAGE, headers=HTML).text, 60)
    page = client.get(PAGE, headers=HTML).text
    assert "epoch 5 of 5" not in page, "its last epoch is no progress any more"


def test_a_project_is_trained(
    serve_trainable: Callable[..., TestClient],
    label_studio: Web,
    jobs: JobStore,
) -> None:
    served = serve_trainable()
    jobs.create("training", SEVEN, f"{FUNCTIONS}count", {})
    jobs.cancel(jobs.list_jobs()[0].id)
    assert "Train now" in served.get(PAGE, headers=HTML).text
    press(served, "train", project=SEVEN)
    assert [job.key for job in jobs.list_jobs()] == [SEVEN, SEVEN]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"action": "train", "project": SEVEN}, "nothing that serves here can be trained: learned"),
        ({"action": "cancel", "job": "1"}, "there is no job &#34;1&#34;; there are none"),
        (
            {"action": "promote", "project": SEVEN, "control": "label", "version": "v9"},
            f"project {SEVEN} has no version &#34;v9&#34; of &#34;label&#34;; there are: none",
        ),
        (
            {"action": "rollback", "project": SEVEN, "control": "label"},
            f"project {SEVEN}: no trained version serves &#34;label&#34;",
        ),
        ({"action": "remove"}, "The form cannot be read; open the page again"),
    ],
    ids=lambda value: value["action"] if isinstance(value, dict) else None,
)
def test_what_cannot_be_done_is_a_sentence(
    fields: dict[str, str], sentence: str, client: TestClient
) -> None:
    answer = press(client, **fields)
    assert (answer.status_code, message(answer.text)) == (409, sentence)


def test_a_form_of_another_site_or_without_the_token_is_refused(
    client: TestClient, versions: VersionStore
) -> None:
    add_version(versions, SEVEN, "one")
    fields = {"project": SEVEN, "control": "label", "version": "v1-one00000"}
    foreign = press(client, "promote", {**HTML, "Sec-Fetch-Site": "cross-site"}, **fields)
    unknown = press(client, "promote", {**HTML}, **fields)
    forged = press(client, "promote", **fields, token="another")
    assert [one.status_code for one in (foreign, unknown, forged)] == [403] * 3
    assert versions.serving_stamp(SEVEN) == 0


def test_names_are_shown_as_text(client: TestClient, versions: VersionStore) -> None:
    add_version(versions, f"{SCRIPT}", "one", control=SCRIPT)
    page = client.get(PAGE, headers=HTML).text
    assert SCRIPT not in page
    assert re.search(r"&lt;script&gt;alert\(1\)", page)

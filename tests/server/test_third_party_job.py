"""A third-party class is trained in a job, and every worker loads it again afterwards."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from shared.jobs.job import Job, JobState
from shared.jobs.job_store import JobStore
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.http_messages import PredictRequest, WebhookRequest
from shared.server.third_party_job import KIND, FitWatch, start_fit
from shared.server.third_party_service import ThirdPartyService, open_model
from shared.settings import Settings, read_settings

MODEL = '''
import json
import os
from pathlib import Path

from label_studio_ml.model import LabelStudioMLBase

FILE = Path(__file__).with_name("learned.json")
# As in the official examples, a model that is loaded once in a process.
LEARNED = json.loads(FILE.read_text()) if FILE.exists() else {"label": "Money"}


class Remembers(LabelStudioMLBase):
    """Answers the label that it learned last for the first four letters."""

    def predict(self, tasks, context=None, **kwargs):
        value = {"start": 0, "end": 4, "text": "abcd", "labels": [LEARNED["label"]]}
        result = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels"}
        return [{"result": [{**result, "value": value}]} for _ in tasks]

    def fit(self, *args, data, **kwargs):
        if data["annotation"]["label"] == "fail":
            raise RuntimeError("no such label")
        FILE.write_text(json.dumps({"label": data["annotation"]["label"], "pid": os.getpid()}))
        return {}
'''
CONFIG = """<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="Money"/><Label value="Date"/></Labels></View>"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThirdPartyService:
    pytest.importorskip("label_studio_ml")
    monkeypatch.setenv("FIT_IN_JOB", "true")
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    file = tmp_path / "remembers.py"
    file.write_text(MODEL)
    opened = open_model(f"{file}:Remembers")
    assert isinstance(opened, ThirdPartyService)
    return opened


def label_of(service: ThirdPartyService) -> str:
    request = PredictRequest.model_validate(
        {"tasks": [{"id": 1, "data": {"text": "abcd"}}], "label_config": CONFIG, "project": "3.1"}
    )
    [answer] = service.predict(request, None, RequestScope())
    assert isinstance(answer, dict)
    return str(answer["result"][0]["value"]["labels"][0])


def send_annotation(service: ThirdPartyService, label: str, number: int = 7) -> str:
    event = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": number, "label": label},
        "project": {"id": 3, "label_config": CONFIG},
    }
    return service.handle_event(WebhookRequest.model_validate(event))


def wait_for_jobs() -> list[Job]:
    """Return the jobs once there are some, and all have ended."""
    store = JobStore(read_settings(Settings).train_dir)
    for _ in range(3000):
        jobs = store.list_jobs() if store.path.is_dir() else []
        if jobs and all(job.is_finished for job in jobs):
            return jobs
        time.sleep(0.1)
    raise AssertionError("no job has ended")


def test_training_in_a_job_serves_afterwards(service: ThirdPartyService, tmp_path: Path) -> None:
    watches = [FitWatch(read_settings(Settings), service._reload)]
    assert label_of(service) == "Money"
    assert send_annotation(service, "Date") == "accepted"
    [job] = wait_for_jobs()
    assert (job.kind, job.key, job.state) == (KIND, "3:ANNOTATION_CREATED:7", JobState.done)
    assert label_of(service) == "Money", "the class is loaded again when a worker looks"
    assert f'"pid": {os.getpid()}' not in (tmp_path / "learned.json").read_text()
    for watch in watches:
        watch.look()
    assert label_of(service) == "Date"


def test_a_training_that_fails_changes_nothing(service: ThirdPartyService) -> None:
    watch = FitWatch(read_settings(Settings), service._reload)
    send_annotation(service, "fail")
    [job] = wait_for_jobs()
    assert job.state == JobState.failed
    assert job.message == "it failed with RuntimeError (the log has the details)"
    watch.look()
    assert label_of(service) == "Money"


def test_events_of_one_annotation_wait_as_one_job(
    service: ThirdPartyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("shared.jobs.submit.start", lambda *job: started.append(job))
    events = [("ANNOTATION_UPDATED", 7), ("ANNOTATION_UPDATED", 7), ("ANNOTATION_UPDATED", 8)]
    reference = f"{tmp_path}/remembers.py:Remembers"
    ids = [
        start_fit(
            read_settings(Settings),
            reference,
            {"action": action, "annotation": {"id": number}},
            ("3", CONFIG),
        ).id
        for action, number in events
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(started) == 2


def test_a_class_that_cannot_be_loaded_again_goes_on_serving(
    service: ThirdPartyService, tmp_path: Path
) -> None:
    assert label_of(service) == "Money"
    (tmp_path / "remembers.py").write_text("raise SystemExit")
    service._reload()
    assert label_of(service) == "Money"

"""Workers on a real Label Studio that refuses, loses and delays requests: each prediction once."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import label_studio_sdk.core.http_client as sdk_http
import pytest

from shared.bulk import prediction_store
from shared.bulk import work_loop as work_loop_module
from shared.bulk.prediction_store import PredictionStore
from shared.bulk.project_worker import BLOCK_IDS, ProjectWorker, WorkCount
from shared.bulk.task_lease import LeaseBook
from shared.bulk.work_loop import WorkLoop
from shared.errors import PrelabelError
from shared.label_studio import project as project_module
from shared.label_studio.import_file import ImportFile
from shared.label_studio.project import Project, UnavailableError
from shared.label_studio.upload import Upload
from shared.pipeline.runtime import runtime
from shared.server.project_plans import ProjectPlans
from shared.settings import Settings, read_settings

from .fault_proxy import Fault, FaultProxy, every, no_faults, the_first
from .label_studio import LabelStudio
from .test_project import CONFIG, texts
from .test_work import check_each_once

TASKS = 40
LEASE_SECONDS = 3.0
PREDICTIONS = "/import/predictions"


@pytest.fixture(scope="module")
def proxy(label_studio: LabelStudio) -> Iterator[FaultProxy]:
    with FaultProxy(label_studio.url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _settings(
    proxy: FaultProxy, label_studio: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is the proxy's, and nothing waits long before it is tried again."""
    monkeypatch.setenv("LABEL_STUDIO_URL", proxy.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
    monkeypatch.setenv("BACKENDS", "pattern")
    monkeypatch.setattr(project_module, "RETRY_SECONDS", (0.05, 0.1, 0.2))
    monkeypatch.setattr(sdk_http, "INITIAL_RETRY_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(work_loop_module, "MAX_BACKOFF_SECONDS", 0.5)
    monkeypatch.setattr(prediction_store, "LATE_SECONDS", 0.5)


def kind(fault: Fault) -> str:
    return f"{fault.kind} {fault.status}" if fault.kind == "answer" else fault.kind


def make_project(server: LabelStudio, count: int = TASKS) -> int:
    project = server.create_project("faults", CONFIG)
    if count:
        server.import_tasks(project, [{"data": data} for data in texts(count)])
    return project


def work(
    *numbers: int, only: Collection[int] | None = None, patience_seconds: float = 300.0
) -> list[WorkCount]:
    """Work on projects, or tasks of them, until nothing is left."""
    settings = read_settings(Settings)
    plans = ProjectPlans(settings, runtime())
    with ExitStack() as stack:
        workers = []
        for number in numbers:
            project = Project(number, settings)
            stack.callback(project.close)
            leases = LeaseBook(project, LEASE_SECONDS)
            stack.callback(leases.close)
            workers.append(ProjectWorker(project, runtime().pipeline, leases))
            workers[-1].only = only
        loop = WorkLoop(
            workers, lambda one: plans.load(one.project), threading.Event(), 0.2, patience_seconds
        )
        loop.run(once=True)
    return [worker.count for worker in workers]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("answer", 429), Fault("answer", 500), Fault("answer", 502), Fault("answer", 504)],
        [Fault("lost"), Fault("unanswered"), Fault("cut")],
    ],
    ids=["answered with errors", "lost connections"],
)
def test_two_workers_while_every_third_request_fails(
    faults: list[Fault], proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    project = make_project(label_studio)
    runtime()  # made once, not by both threads
    with proxy.failing(every(3, faults)), ThreadPoolExecutor(2) as threads:
        counts = [count for [count] in threads.map(work, [project, project])]
    assert sum(count.done for count in counts) == TASKS
    assert sum(count.failed for count in counts) == 0
    check_each_once(label_studio, project, TASKS)


def test_what_label_studio_stores_late_is_removed(
    proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    """A request whose answer was lost is carried out after it was sent again."""
    number = make_project(label_studio, 3)
    project = Project(number, read_settings(Settings))
    project.versions = frozenset({"one"})
    prediction = {"model_version": "one", "result": []}
    tasks = [{**entry.task, "predictions": [prediction]} for entry in project]
    store = PredictionStore(project)
    with (
        proxy.failing(the_first(1, "POST", PREDICTIONS, Fault("late"))),
        pytest.raises(UnavailableError, match="Label Studio does not answer on storing"),
    ):
        store.store_missing(tasks)
    assert store.store_missing(tasks) == 3
    assert store.has_doubts
    proxy.send_late()
    assert len(label_studio.predictions(number)) == 6
    while store.has_doubts:
        store.settle_doubts()
    project.close()
    check_each_once(label_studio, number, 3)


def test_two_workers_where_a_webhook_breaks_leases(
    proxy: FaultProxy, label_studio: LabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    """Both store the same predictions at the same moment; one of each stays."""
    project = make_project(label_studio, 0)
    made = label_studio.import_tasks(project, [{"data": data} for data in texts(40)])
    block = Counter(number // BLOCK_IDS for number in made).most_common(1)[0][0]
    only = {number for number in made if number // BLOCK_IDS == block}
    hook = {"project": project, "url": "http://127.0.0.1:9/webhook"}
    label_studio.request("POST", "/api/webhooks/", json=hook)
    runtime()
    both = threading.Barrier(2)

    def meet(method: str, path: str, number: int) -> None:
        if PREDICTIONS in path:
            both.wait(300)

    proxy.plan = meet
    with ThreadPoolExecutor(2) as threads:
        counts = [found for [found] in threads.map(lambda n: work(n, only=only), [project] * 2)]
    proxy.plan = no_faults
    assert [count.done for count in counts] == [len(only)] * 2
    assert caplog.text.count("Label Studio keeps no leases where a webhook is for all actions") == 2
    check_each_once(label_studio, project, len(only))


def test_label_studio_is_away_for_a_while(proxy: FaultProxy, label_studio: LabelStudio) -> None:
    """It goes while predictions are to be stored, as it does when it is restarted."""
    project = make_project(label_studio)

    def stop(method: str, path: str, number: int) -> Fault | None:
        if PREDICTIONS not in path or stopped.is_set():
            return None
        stopped.set()
        return Fault("unanswered")

    stopped = threading.Event()
    with proxy.failing(stop), ThreadPoolExecutor(1) as threads:
        done = threads.submit(work, project)
        assert stopped.wait(120)
        proxy.stop()
        assert not done.done()
        proxy.start()
        [count] = done.result(300)
    assert (count.done, count.failed) == (TASKS, 0)
    check_each_once(label_studio, project, TASKS)


def test_a_label_studio_that_is_gone_is_given_up(
    proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    project = make_project(label_studio, 3)
    proxy.stop()
    try:
        with pytest.raises(UnavailableError) as raised:
            work(project, patience_seconds=0.6)
    finally:
        proxy.start()
    assert str(raised.value) == (
        f"project {project}: Label Studio does not answer on reading it: ConnectError; it was given"
        " up after 0.6 s. What was predicted until then is stored: start it again once"
        " Label Studio answers"
    )


def test_a_token_that_is_revoked_ends_the_work(
    proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    project = make_project(label_studio, 3)
    refused = threading.Event()

    def refuse(method: str, path: str, number: int) -> Fault | None:
        if PREDICTIONS in path:
            refused.set()
        return Fault("answer", 401) if refused.is_set() else None

    message = f"project {project}: Label Studio answers 401 on reading its tasks"
    with proxy.failing(refuse), pytest.raises(PrelabelError, match=message):
        work(project)
    assert label_studio.predictions(project) == []
    [lease] = label_studio.request("GET", "/api/labels/")["results"]  # it could not be given back
    label_studio.request("DELETE", f"/api/labels/{lease['id']}/")


def test_a_lease_that_cannot_be_given_back_at_the_end_is_a_moment_later(
    proxy: FaultProxy, label_studio: LabelStudio
) -> None:
    project = Project(make_project(label_studio), read_settings(Settings))
    leases = LeaseBook(project, LEASE_SECONDS)
    assert leases.take(0) is not None
    assert label_studio.request("GET", "/api/labels/")["results"]
    # The SDK asks three times.
    with proxy.failing(the_first(3, "DELETE", "/api/labels/", Fault("answer", 503))):
        leases.close()
    project.close()
    assert label_studio.request("GET", "/api/labels/")["results"] == []


def test_a_project_that_fails_does_not_hold_up_another(
    proxy: FaultProxy, label_studio: LabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = make_project(label_studio, 3), make_project(label_studio, 3)

    def fail(method: str, path: str, number: int) -> Fault | None:
        return Fault("answer", 500) if f"/projects/{broken}" in path else None

    with proxy.failing(fail):
        counts = work(broken, sound, patience_seconds=1.0)
    assert [count.done for count in counts] == [0, 3]
    check_each_once(label_studio, sound, 3)
    assert f"project {broken} is not worked on any more: project {broken}: Label Studio" in (
        caplog.text
    )


@pytest.mark.parametrize("fault", [Fault("unanswered"), Fault("answer", 429)], ids=kind)
@pytest.mark.parametrize("is_new", [True, False], ids=["tasks", "predictions"])
def test_pushed_tasks_arrive_once(
    fault: Fault, is_new: bool, proxy: FaultProxy, label_studio: LabelStudio, tmp_path: Path
) -> None:
    """The SDK would send them again by itself, without a look at what has arrived."""
    number = make_project(label_studio, 1 if is_new else 3)
    project = Project(number, read_settings(Settings))
    tasks = [{"data": data} for data in texts(3)] if is_new else [one.task for one in project]
    with ImportFile(tmp_path / "out.json", {}, resume=False) as file:
        for task in tasks:
            file.add_task({**task, "predictions": [{"model_version": "one", "result": []}]})
        with proxy.failing(the_first(2, "POST", "/import", fault)):
            Upload(project, file, is_new).send_batches(everything=True)
    project.close()
    found = Counter(one["task"] for one in label_studio.predictions(number))
    assert (len(found), set(found.values())) == (3, {1})
    assert label_studio.client.projects.get(number).task_number == (4 if is_new else 3)

"""Which tasks a request answers, and which it leaves to a job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.pattern import PatternBackend
from shared.errors import DeadlineError, FetchError, SettingError
from shared.jobs.job_store import JobStore
from shared.pipeline.prediction import Prediction, TaskOutcome
from shared.server import background_predictions
from shared.server.background_predictions import BackgroundPredictions
from shared.server.handover import Handover
from shared.server.prediction_job import FUNCTION, KIND, pack_ids, unpack_ids
from shared.settings import Settings

KEY = "7.1700000000"
TASKS = [{"id": number} for number in (1, 2, 3, 5)]
DONE = TaskOutcome(Prediction((), None, "v"))
LATE, FAILED = TaskOutcome(error=DeadlineError("late")), TaskOutcome(error=FetchError("gone"))
ANSWER = {"result": [], "model_version": "v"}


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [([], []), ([3], [[3, 3]]), ([5, 1, 2, 3, 2], [[1, 3], [5, 5]])],
    ids=["none", "one", "in any order"],
)
def test_ids_are_packed(numbers: list[int], ranges: list[list[int]]) -> None:
    assert pack_ids(numbers) == ranges
    assert unpack_ids(ranges) == set(numbers)


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are created, and no process runs them."""
    monkeypatch.setattr("shared.jobs.submit.start", lambda settings, store, job: None)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The tasks of the jobs that were started, which are no processes here."""
    found: list[list[int]] = []

    def start(settings: Settings, number: int, key: str, tasks: Any, backend: Any) -> Any:
        found.append(sorted(tasks))
        arguments = {"project": number, "tasks": pack_ids(tasks)}
        return JobStore(settings.train_dir).create(KIND, key, FUNCTION, arguments)

    monkeypatch.setattr(background_predictions, "start_prediction", start)
    return found


def background(tmp_path: Path, **changes: Any) -> BackgroundPredictions:
    given = {"label_studio_url": "http://localhost:1", "label_studio_api_key": "x"}
    settings = Settings(train_dir=tmp_path, **{**given, "predict_in_background": True, **changes})
    return BackgroundPredictions(settings, [PatternBackend])


def ask(background: BackgroundPredictions, outcomes: Iterator[TaskOutcome]) -> list[Any]:
    handover = Handover(background, KEY)
    tasks = handover.choose(TASKS)
    noted = list(handover.note_late(tasks, (next(outcomes) for _ in tasks)))
    return handover.answer([one.to_response() for one in noted])


def test_what_is_late_becomes_a_job_which_a_second_request_joins(
    tmp_path: Path, started: list[list[int]]
) -> None:
    """A task that failed for another reason is asked for again by Label Studio."""
    jobs = background(tmp_path)
    assert ask(jobs, iter([DONE, FAILED, LATE, LATE])) == [ANSWER, [], [], []]
    assert started == [[3, 5]]
    assert ask(jobs, iter([DONE, DONE])) == [ANSWER, ANSWER, [], []]
    assert started == [[3, 5]]


def test_a_job_with_all_tasks_leaves_none_to_requests(
    tmp_path: Path, started: list[list[int]]
) -> None:
    JobStore(tmp_path).create(KIND, KEY, FUNCTION, {"project": 7})
    assert ask(background(tmp_path), iter([])) == [[], [], [], []]
    assert started == []


def test_without_a_token_requests_are_answered_as_they_are(
    tmp_path: Path, started: list[list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    jobs = background(tmp_path, label_studio_api_key=None)
    jobs.warn()
    assert "PREDICT_IN_BACKGROUND has no effect: LABEL_STUDIO_API_KEY must be set" in caplog.text
    assert ask(jobs, iter([DONE, DONE, LATE, LATE])) == [ANSWER, ANSWER, [], []]
    assert started == []
    assert jobs.report()["obstacle"].startswith("LABEL_STUDIO_API_KEY must be set")
    with pytest.raises(SettingError, match="LABEL_STUDIO_API_KEY must be set"):
        jobs.start("7")


DRAWN = {"result": [{"id": "r"}]}


@pytest.mark.parametrize("backend", [None, "pattern"])
def test_what_is_drawn_becomes_one_job(tmp_path: Path, backend: str | None) -> None:
    jobs = background(tmp_path)
    for _ in range(2):
        jobs.finish_drawn(KEY, {"id": 3}, DRAWN, backend)
    [job] = JobStore(tmp_path).list_jobs()
    given = {"project": 7, "task": 3, "context": DRAWN}
    assert job.arguments == (given if backend is None else {**given, "backend": backend})
    assert (job.kind, job.key) == ("drawn", KEY)
    jobs.finish_drawn(KEY, {"id": 4}, DRAWN, backend)
    assert len(JobStore(tmp_path).list_jobs()) == 2


@pytest.mark.parametrize(
    ("key", "task", "changes"),
    [
        ("", {"id": 3}, {}),
        (KEY, {"id": "x"}, {}),
        (KEY, None, {}),
        (KEY, {"id": 3}, {"label_studio_api_key": None}),
        (KEY, {"id": 3}, {"predict_in_background": False}),
    ],
    ids=["no project", "no id", "no task", "no token", "not wanted"],
)
def test_without_what_a_job_needs_nothing_is_started(
    tmp_path: Path, key: str, task: Any, changes: dict[str, Any]
) -> None:
    background(tmp_path, **changes).finish_drawn(key, task, DRAWN, None)
    assert not (tmp_path / "jobs").exists()

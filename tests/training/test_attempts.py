"""What may go wrong while a model is trained: what serves goes on, and a sentence says why."""

import errno
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.jobs.job import JobCancelledError
from shared.training.epoch_log import EpochLog

from .conftest import KEY, Trainings
from .words import WEIGHTS, WordsBackend, texts

PREFIX = 'Choices "topic" is not trained: '


def fail_with(error: BaseException) -> Callable[[TrainingRun], None]:
    def fail(run: TrainingRun) -> None:
        raise error

    return fail


def report_loss(loss: float) -> Callable[[TrainingRun], None]:
    return lambda run: (run.report(1, 3, loss=0.5), run.report(2, 3, loss=loss), None)[-1]


def write_nothing(run: TrainingRun) -> None:
    (run.output / WEIGHTS).unlink()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            fail_with(TrainingError("the encoder is missing")),
            None,
            "the encoder is missing",
            id="its own error",
        ),
        pytest.param(
            fail_with(RuntimeError("/secret/path")),
            None,
            "words failed with RuntimeError (the log has the details)",
            id="any error",
        ),
        pytest.param(
            fail_with(PermissionError(errno.EACCES, "/secret/path")),
            None,
            "words failed with PermissionError (the log has the details)",
            id="an error of the system",
        ),
        pytest.param(
            fail_with(OSError(errno.ENOSPC, "/secret/path")),
            None,
            "the disk of TRAIN_DIR is full: free some room",
            id="full disk",
        ),
        pytest.param(
            report_loss(math.nan),
            None,
            "the loss of epoch 2 is not a number (nan): the training has failed; look for tasks"
            " whose annotations are wrong (prelabel evaluate --label-errors), and start it again",
            id="loss is NaN",
        ),
        pytest.param(
            report_loss(math.inf), None, "the loss of epoch 2 is not a number (inf)", id="infinite"
        ),
        pytest.param(
            fail_with(TrainingMemoryError("CUDA out of memory")),
            None,
            "the memory does not suffice, even with an eighth of the batch size: use a smaller"
            " model or a machine with more memory (CUDA out of memory)",
            id="out of memory",
        ),
        pytest.param(
            fail_with(MemoryError()),
            None,
            "the memory does not suffice, even with an eighth of the batch size: use a smaller"
            " model or a machine with more memory (the memory of this machine is used up)",
            id="out of memory of the CPU",
        ),
        pytest.param(None, write_nothing, "words has written no weights", id="no weights"),
    ],
)
def test_failures(trainings: Trainings, before: Any, after: Any, expected: str) -> None:
    trainings.run(texts(60))
    good = trainings.store.serving_versions(KEY)
    files = files_below(trainings.store.project_folder(KEY))
    WordsBackend.before, WordsBackend.after = before, after
    with pytest.raises(TrainingError) as error:
        trainings.run(texts(60))
    assert str(error.value).startswith(PREFIX + expected)
    assert trainings.store.serving_versions(KEY) == good
    assert files_below(trainings.store.project_folder(KEY)) == files, "nothing half-made is left"


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_smaller_batches_after_the_memory_was_full(trainings: Trainings) -> None:
    def need_a_quarter(run: TrainingRun) -> None:
        (run.output / "half written").write_text("")
        run.report(1, 2, loss=float(run.batch_scale))
        if run.batch_scale > 0.25:
            raise TrainingMemoryError("out of memory")

    WordsBackend.before = need_a_quarter
    outcome = trainings.outcome(texts(60))
    assert [run.batch_scale for run in WordsBackend.runs] == [1, 0.5, 0.25]
    [version] = trainings.store.list_versions(KEY)
    assert outcome["version"] == version.name
    assert {path.name for path in version.weights.folder.iterdir()} == {"half written", WEIGHTS}


def test_epochs_of_a_failed_attempt_are_forgotten(trainings: Trainings) -> None:
    def fail_once(run: TrainingRun) -> None:
        run.report(1, 3, loss=9.0)
        if run.batch_scale == 1:
            raise TrainingMemoryError("out of memory")

    WordsBackend.before = fail_once
    trainings.run(texts(60))
    [version] = trainings.store.list_versions(KEY)
    assert (version.folder / "metrics.json").read_text().count('"loss": 9.0') == 1


def test_the_second_attempt_begins_with_half(trainings: Trainings) -> None:
    """The first may have been killed since the memory was full."""
    trainings.attempts = 2
    trainings.run(texts(60))
    assert [run.batch_scale for run in WordsBackend.runs] == [0.5]


def test_a_cancelled_training_ends(trainings: Trainings) -> None:
    def cancel(run: TrainingRun) -> None:
        (trainings.context.folder.parent / "cancel").touch()

    WordsBackend.before = cancel
    with pytest.raises(JobCancelledError):
        trainings.run(texts(60))
    assert trainings.store.list_versions(KEY) == []
    assert trainings.context.progress["epoch"] == 1


def test_a_training_ends_in_time(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_MAX_MINUTES", "0.001")  # 60 ms
    trainings.reset()
    WordsBackend.before = lambda run: time.sleep(0.06)
    outcome = trainings.outcome(texts(60))
    assert outcome["state"] == "serving", "the best epoch so far is kept"
    epochs = [one["epoch"] for one in trainings.progress if one.get("epoch")]
    assert epochs == [1]


def test_a_failed_tag_costs_only_itself(trainings: Trainings) -> None:
    xml = """<View><Text name="text" value="$text"/>
      <Choices name="first" toName="text"><Choice value="Sport"/><Choice value="Food"/></Choices>
      <Choices name="second" toName="text"><Choice value="Sport"/><Choice value="Food"/></Choices>
      </View>"""

    def fail_first(run: TrainingRun) -> None:
        if run.control.name == "first":
            raise RuntimeError("/secret/path")

    WordsBackend.before = fail_first
    tasks = texts(60, ["Sport", "Food"])
    for task in tasks:
        [result] = task["annotations"][0]["result"]
        own = [{**result, "from_name": name} for name in ("first", "second")]
        task["annotations"][0]["result"] = own
    first, second = trainings.run(tasks, xml)["controls"]
    assert (first["state"], second["state"]) == ("not trained", "serving")
    assert first["reason"] == "words failed with RuntimeError (the log has the details)"
    assert trainings.context.message.startswith('Choices "first" is not trained: words failed with')


# The log of epochs


def test_the_remaining_time() -> None:
    now = [100.0]
    seen: list[dict[str, Any]] = []
    log = EpochLog(lambda **progress: seen.append(progress), "label", 100.0, lambda: now[0])
    for epoch, seconds in ((1, 10.0), (2, 10.0), (3, 70.0), (4, 15.0)):
        now[0] += seconds
        going_on = log(epoch, 10, {"loss": 0.1, "map50": math.nan})
        assert going_on is (epoch < 4), "after 105 s of 100 it is over"
    # 10 s an epoch: 9 x 10; 2 took 20 s: 8 x 10, as long as there is time; 3 took 90 s: 10 s left
    assert [one["remaining_seconds"] for one in seen] == [90, 80, 10, 0]
    assert log.epochs[0] == {"epoch": 1, "loss": 0.1}, "a metric that is no number is left out"
    log.begin_attempt()
    assert log.epochs == []
    assert log.seconds == 105.0, "the time goes on"

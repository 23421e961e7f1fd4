"""Starting a training: what is missing is said at once; a job's own process trains from a file."""

import time
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError, SettingError
from shared.jobs.job import Job, JobError, JobState
from shared.jobs.job_store import JobStore
from shared.settings import Settings
from shared.training.source import TrainingSource
from shared.training.start import start_training
from shared.training.version_store import VersionStore

from .words import CONFIG, texts, write_export

KEY = "7.1700000000"
SERVER = {"label_studio_url": "http://localhost:8080", "label_studio_api_key": "secret-token"}


@pytest.mark.parametrize(
    ("settings", "source", "key", "expected"),
    [
        pytest.param(
            {"label_studio_api_key": "t"},
            TrainingSource.of_project(7),
            KEY,
            "project 7 cannot be trained: LABEL_STUDIO_URL is not set, and annotations are read by"
            " Label Studio's API",
            id="no address",
        ),
        pytest.param(
            {"label_studio_url": "http://localhost:8080"},
            TrainingSource.of_project(7),
            KEY,
            "project 7 cannot be trained: LABEL_STUDIO_API_KEY is not set, and annotations are read"
            " by Label Studio's API",
            id="no token",
        ),
        pytest.param(
            SERVER,
            TrainingSource.of_project(7),
            " ",
            "a training needs the key of a project, or a name for its models",
            id="no key",
        ),
        pytest.param(
            {},
            TrainingSource(),
            KEY,
            "nothing to train from: name a project, or an export file",
            id="no source",
        ),
        pytest.param(
            {},
            TrainingSource(None, ("/nowhere/export.json",), CONFIG),
            KEY,
            "export.json: file not found",
            id="no file",
        ),
        pytest.param(
            {},
            TrainingSource(None, (__file__,), "<View"),
            KEY,
            "The label config is not well-formed XML",
            id="broken label config",
        ),
    ],
)
def test_what_is_missing(
    tmp_path: Path, settings: dict[str, Any], source: TrainingSource, key: str, expected: str
) -> None:
    with pytest.raises((SettingError, ConfigError)) as error:
        start_training(Settings(train_dir=tmp_path, **settings), source, key)
    assert str(error.value).startswith(expected)
    assert JobStore(tmp_path).list_jobs() == []


def test_standard_input_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="standard input cannot be trained from: name a file"):
        TrainingSource.of_files(("-",), tmp_path / "config.xml")


def test_arguments_are_those_that_were_given(tmp_path: Path) -> None:
    config = tmp_path / "config.xml"
    config.write_text(CONFIG)
    for source in (TrainingSource.of_project(7), TrainingSource.of_files(("a.json",), config)):
        assert TrainingSource.from_json(source.to_json()) == source
    assert TrainingSource.of_project(7).to_json() == {"project": 7}


@pytest.mark.parametrize(
    ("device", "queue"), [("auto", "prelabel-auto"), ("cpu", "prelabel-cpu")], ids=str
)
def test_a_worker_chooses_its_device(tmp_path: Path, device: str, queue: str) -> None:
    # What this machine has says nothing about the worker's; no Redis is needed to see the queue.
    settings = Settings(train_dir=tmp_path, queue_url="redis://127.0.0.1:1", device=device)
    source = TrainingSource(None, (str(write_export(tmp_path, texts(4))),), CONFIG)
    with pytest.raises(JobError, match="is kept"):
        start_training(settings, source, KEY)
    [job] = JobStore(tmp_path).list_jobs()
    assert (job.device, job.queue) == (device, queue)


@pytest.fixture
def words_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the backend `words` as another package would, for processes of their own."""
    package = tmp_path / "site" / "words_backend-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: words-backend\nVersion: 1.0\n")
    entry = "[prelabel.backends]\nwords = tests.training.words:WordsBackend\n"
    (package / "entry_points.txt").write_text(entry)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("BACKENDS", "words")


def wait_for(store: JobStore, job: Job) -> Job:
    deadline = time.monotonic() + 300  # jobs have the lowest priority
    while time.monotonic() < deadline:
        found = store.find(job.id)
        if found.is_finished:
            return found
        time.sleep(0.1)
    raise TimeoutError(str(store.find(job.id)))


@pytest.mark.usefixtures("words_installed")
def test_a_process_trains(tmp_path: Path) -> None:
    settings = Settings(train_dir=tmp_path / "training")
    config = tmp_path / "config.xml"
    config.write_text(CONFIG)
    export = write_export(tmp_path, texts(60))
    source = TrainingSource.of_files((str(export),), config)
    job = start_training(settings, source, KEY)
    store = JobStore(settings.train_dir)
    assert not store.find(job.id).is_finished, "who asks does not wait for the training"
    done = wait_for(store, job)
    assert done.state is JobState.done, (done.message, store.folder(job.id).log.read_text())
    [version] = VersionStore(settings.train_dir).serving_versions(KEY).values()
    assert done.message.startswith(f'Choices "topic" is served by {version.name}: accuracy 1.00')
    assert done.result is not None
    assert done.result["controls"][0]["state"] == "serving"
    assert not (store.folder(job.id).work).exists()


@pytest.mark.usefixtures("words_installed")
def test_a_process_says_why_it_cannot_train(tmp_path: Path) -> None:
    settings = Settings(train_dir=tmp_path / "training")
    export = write_export(tmp_path, texts(4))
    source = TrainingSource(None, (str(export),), CONFIG)
    store = JobStore(settings.train_dir)
    done = wait_for(store, start_training(settings, source, KEY))
    assert done.state is JobState.failed
    assert done.message == (
        'Choices "topic" is not trained: label "Sport" has 2 examples, 5 are needed; label "Food"'
        ' has 1 example, 5 are needed; label "Music" has 1 example, 5 are needed'
    )

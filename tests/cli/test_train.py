"""`prelabel train` with a small backend, whose training runs in a process of its own as always."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.jobs.job import JobState
from shared.jobs.job_store import JobStore
from shared.settings import Settings, read_settings
from shared.training.version_store import VersionStore
from tests.training.hub import Hub, connected, server
from tests.training.words import CONFIG, texts

from .conftest import REPO, Command
from .trainable import install

__all__ = ["connected", "server"]  # fixtures

# Trainings have the lowest priority: they wait for all else that runs on the machine.
LIMIT_SECONDS = 300


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a label config, and `words` as the only backend."""
    monkeypatch.setenv("PYTHONPATH", f"{install(tmp_path)}:{REPO}")
    monkeypatch.setenv("BACKENDS", "words")
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    read_settings.cache_clear()
    (tmp_path / "config.xml").write_text(CONFIG)
    yield tmp_path
    read_settings.cache_clear()


def write(folder: Path, tasks: list[dict[str, Any]], name: str = "topics") -> tuple[str, ...]:
    (folder / f"{name}.json").write_text(json.dumps(tasks))
    return ("train", f"{name}.json", "--label-config", "config.xml")


def store() -> VersionStore:
    return VersionStore(read_settings(Settings).train_dir)


def test_followed_to_its_end_and_uploaded(prelabel: Command, folder: Path, connected: Hub) -> None:
    arguments = ("--epochs", 2, "--push-to-hub", "me/topics")
    ran = prelabel(*write(folder, texts(60)), *arguments)
    assert ran.status == 0, ran.out + ran.err
    [version] = store().list_versions("topics")
    assert store().serving_versions("topics") == {"topic": version}
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert any(line.startswith(f"{version.name} serves words ") for line in lines)
    assert any(line.startswith(f"{version.name}: accuracy 1.00 ") for line in lines)
    assert '"topics" is no project of a Label Studio' in ran.out
    assert {path.name for path in version.folder.iterdir()} >= {
        *("README.md", "curves.png", "confusion.png", "log.txt", "manifest.json"),
        *("metrics.json", "settings.json", "version.json", "weights"),
    }
    metrics = json.loads((version.folder / "metrics.json").read_text())
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2, 3]
    assert json.loads((version.folder / "settings.json").read_text())["max_epochs"] == 2
    assert f"topic: {connected.url}/me/topics" in ran.out
    assert {"README.md", "weights/words.json", "version.json"} <= set(connected.files)
    assert connected.repositories == {"me/topics": True}


def test_commands_of_the_page(prelabel: Command, folder: Path) -> None:
    """Those of docs/training.md from a file, one after the other."""
    page = (REPO / "docs" / "training.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    [block] = [one for one in blocks if "prelabel train export.json" in one]
    write(folder, texts(60), "export")
    for line in block.splitlines():
        ran = prelabel(*line.removeprefix(".venv/bin/prelabel ").split())
        assert ran.status == 0, f"{line}\n{ran.out}{ran.err}"
    assert ran.out.startswith("topic: the model without training serves again")


def test_worse_one_is_a_candidate(prelabel: Command, folder: Path) -> None:
    key = ("--key", "7.1700000000", "--follow")
    assert prelabel(*write(folder, texts(90)), *key).status == 0
    [first] = store().list_versions("7.1700000000")
    tasks = texts(90)
    annotations = [task["annotations"] for task in tasks]
    held_out = json.loads((first.folder / "manifest.json").read_text())["tasks"]
    learned = [one["id"] - 1 for one in held_out if one["split"] != "test"]
    for place, other in zip(learned, [*learned[1:], learned[0]], strict=True):
        tasks[place] = {**tasks[place], "annotations": annotations[other]}
    ran = prelabel(*write(folder, tasks), *key)
    assert ran.status == 0, ran.out + ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    second = store().list_versions("7.1700000000")[1]
    assert any(line.startswith(f"{second.name} candidate words ") for line in lines)
    assert any(line.startswith(f"beside words-{first.name}") for line in lines)
    assert "is no project" not in ran.out
    assert store().serving_versions("7.1700000000") == {"topic": first}


@pytest.mark.parametrize(
    ("tasks", "more", "message"),
    [
        (texts(30, ("Sport",)), (), "Sport"),
        ([{"id": 1, "data": {"text": "a"}}], (), "has an annotation"),
        (texts(30), ("--control", "mood"), 'no control tag "mood" to train; it has: "topic"'),
    ],
    ids=["one label", "no annotations", "no such control tag"],
)
def test_what_cannot_be_trained(
    tasks: list[dict[str, Any]],
    more: tuple[str, ...],
    message: str,
    prelabel: Command,
    folder: Path,
) -> None:
    ran = prelabel(*write(folder, tasks), "--follow", *more)
    assert ran.status == 1, ran.out + ran.err
    assert "failed" in ran.out
    assert message in ran.out
    assert store().list_projects() == []


def test_not_followed_it_goes_on(prelabel: Command, folder: Path) -> None:
    ran = prelabel(*write(folder, texts(40)))
    assert ran.status == 0, ran.err
    found = re.match(r"job (\S+) \(waiting\): prelabel jobs \1 --follow shows it\n", ran.out)
    assert found, ran.out
    jobs = JobStore(folder / "training")
    until = time.monotonic() + LIMIT_SECONDS
    while not (job := jobs.find(found[1])).is_finished:
        assert time.monotonic() < until, job
        time.sleep(0.1)
    assert job.state is JobState.done
    assert (job.key, job.arguments["files"]) == ("topics", [str(folder / "topics.json")])


def test_interrupted_it_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the command alone, and says how the training is ended."""
    monkeypatch.setenv("BACKENDS", "slow_words")
    arguments = (*write(folder, texts(40)), "--follow")
    jobs = JobStore(folder / "training")
    command = [sys.executable, "-m", "shared.cli", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests may ignore it
    ) as process:
        until = time.monotonic() + LIMIT_SECONDS
        while not any(job.progress.get("epoch") for job in jobs.list_jobs()):
            assert process.poll() is None, [job.message for job in jobs.list_jobs()]
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    [job] = jobs.list_jobs()
    assert f"{job.id} goes on: " in out
    assert job.state is JobState.running
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "jobs", "cancel", job.id],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    while not (job := jobs.find(job.id)).is_finished:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert job.state is JobState.cancelled


def test_token_is_asked_for_before(
    prelabel: Command, folder: Path, connected: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    ran = prelabel(*write(folder, texts(60)), "--push-to-hub", "me/topics")
    assert (ran.status, "no token for Hugging Face" in ran.err) == (2, True)
    assert JobStore(folder / "training").list_jobs() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to train from: specify an INPUT, or --project"),
        (("a.json",), "--label-config is missing"),
        (("--project", "7", "--key", "x"), "--key and --label-config belong to an INPUT"),
        (("a.json", "--label-config", "config.xml"), "a.json: file not found"),
        (("-", "--label-config", "config.xml"), "standard input cannot be trained from"),
        (("--project", "7"), "--project needs LABEL_STUDIO_URL"),
    ],
    ids=["nothing", "no label config", "key of a project", "no file", "standard input", "no token"],
)
def test_what_is_missing(arguments: tuple[str, ...], message: str, prelabel: Command) -> None:
    ran = prelabel("train", *arguments)
    assert ran.status == 2
    assert message in " ".join(ran.err.replace("│", " ").split())

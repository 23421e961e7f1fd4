"""`prelabel work` with a real Label Studio: workers share tasks, whatever happens to them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .label_studio import LabelStudio
from .slow_backend import CONFIG, asked, install

TASKS = 60


def work(
    server: LabelStudio, folder: Path, *words: Any, seconds: float = 0.02
) -> "subprocess.Popen[str]":
    variables = install(folder, seconds) | {
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_API_KEY": server.token,
        "TRAIN_DIR": str(folder / "training"),
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "shared.cli",
            "work",
            "--backend",
            "slow",
            "--lease",
            "6",
            *map(str, words),
        ],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition: Callable[[], Any], seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def add_tasks(server: LabelStudio, project: int, count: int) -> list[str]:
    texts = [f"text {number}" for number in range(count)]
    server.import_tasks(project, [{"data": {"text": text}} for text in texts])
    return texts


def check_each_once(server: LabelStudio, project: int, count: int) -> None:
    stored = Counter(one["task"] for one in server.predictions(project))
    assert (len(stored), set(stored.values())) == (count, {1})
    assert server.request("GET", "/api/labels/")["results"] == []
    assert server.request("GET", "/api/label_links/")["results"] == []


def test_two_workers_share_the_tasks_of_a_killed_one(
    label_studio: LabelStudio, tmp_path: Path
) -> None:
    project = label_studio.create_project("work", CONFIG)
    texts = add_tasks(label_studio, project, TASKS)
    first = work(label_studio, tmp_path, "--project", project, seconds=1)
    wait_for(lambda: asked(tmp_path))
    first.kill()
    first.communicate()
    others = [work(label_studio, tmp_path, "--project", project, "--once") for _ in range(2)]
    said = [other.communicate(timeout=300)[0] for other in others]
    assert [other.returncode for other in others] == [0, 0], said
    check_each_once(label_studio, project, TASKS)
    assert set(asked(tmp_path)) == set(texts)


def test_new_tasks_are_predicted_and_sigterm_ends_it(
    label_studio: LabelStudio, tmp_path: Path
) -> None:
    """Of two projects; one with a label config that nothing fills costs only itself."""
    project = label_studio.create_project("work on", CONFIG)
    other = label_studio.create_project("pairs", "<View><Text name='t' value='$text'/></View>")
    worker = work(
        label_studio, tmp_path, "--project", other, "--project", project, "--poll", 0.5, seconds=0
    )
    try:
        for count in (3, 6):
            add_tasks(label_studio, project, 3)
            wait_for(lambda count=count: len(label_studio.predictions(project)) == count)
        worker.send_signal(signal.SIGTERM)
        said = worker.communicate(timeout=120)[0]
    finally:
        worker.kill()
        worker.communicate()
    assert worker.returncode == 0, said
    assert f"project {project}: 6 tasks predicted, 0 failed" in said
    assert f"project {other} is not worked on any more" in said
    check_each_once(label_studio, project, 6)

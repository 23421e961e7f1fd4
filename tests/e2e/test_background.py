"""PREDICT_IN_BACKGROUND with a real Label Studio: one press, and all predictions arrive."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.serving import Served, served

from .label_studio import LabelStudio
from .slow_backend import CONFIG, asked, install

TASKS = 60


def wait_for(condition: Callable[[], Any], server: Served, seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, server.log.read_text()[-3000:]
        time.sleep(0.2)
    return found


def jobs(server: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/jobs", timeout=60).json()["jobs"]
    return found


def test_after_one_press_all_predictions_arrive(label_studio: LabelStudio, tmp_path: Path) -> None:
    """The rest of a request goes on as a job; a press while it runs joins it; nothing is twice."""
    project = label_studio.create_project("background", CONFIG)
    texts = [f"text {number}" for number in range(TASKS)]
    label_studio.import_tasks(project, [{"data": {"text": text}} for text in texts])
    variables = {
        **install(tmp_path, seconds=0.2),
        "TRAIN_DIR": str(tmp_path / "training"),
        "PREDICT_IN_BACKGROUND": "true",
        "PREDICT_DEADLINE": "3",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    with served("slow", log=tmp_path / "log", **variables) as server:
        server.wait()
        label_studio.connect_backend(project, server.url)
        label_studio.retrieve_predictions(project)
        [job] = jobs(server)
        assert (job["kind"], job["key"].split(".")[0]) == ("prediction", str(project))
        answered = len(label_studio.predictions(project))
        left = sum(last - first + 1 for first, last in job["arguments"]["tasks"])
        assert (answered + left, left > 0) == (TASKS, True)
        label_studio.retrieve_predictions(project)
        assert [one["id"] for one in jobs(server)] == [job["id"]]
        wait_for(lambda: jobs(server)[0]["state"] == "done", server)
        [ended] = jobs(server)
        assert (ended["result"]["done"], ended["result"]["failed"]) == (left, 0)
        assert ended["progress"]["fraction"] == 1
        status = httpx.get(f"{server.url}/status", timeout=60).json()
    stored = Counter(one["task"] for one in label_studio.predictions(project))
    assert (len(stored), set(stored.values())) == (TASKS, {1})
    assert label_studio.request("GET", "/api/labels/")["results"] == []
    assert status["background"] == {"enabled": True, "obstacle": None, "problem": None}
    # What the model had in hand at the deadline may be asked again by the job, and nothing else.
    assert set(asked(tmp_path)) == set(texts)
    assert len(asked(tmp_path)) <= TASKS + 64

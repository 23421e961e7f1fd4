"""A box on a video of a real Label Studio: what a request has no time for, a job follows."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.backends.segment.video.moving import (
    CONFIG,
    RED,
    Json,
    box_of,
    drawn,
    iou,
    key,
    swing,
    track_boxes,
    video,
)
from tests.serving import Served, served

from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

FRAMES = 48
# One of so many frames is looked at: the starter takes a tenth of a second for each.
STEP = 3


def wait_for(condition: Callable[[], Any], server: Served, seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, server.log.read_text()[-3000:]
        time.sleep(0.05)
    return found


def jobs(server: Served) -> list[Json]:
    found: list[Json] = httpx.get(f"{server.url}/jobs", timeout=60).json()["jobs"]
    return found


def draw(label_studio: LabelStudio, backend: int, task: int, frame: int) -> Json:
    """Send a box as the editor does when it is labelled; return what the editor gets."""
    body = {"task": task, "context": {"result": [drawn(key(frame + 1, box_of(frame)))]}}
    answer = label_studio.request("POST", f"/api/ml/{backend}/interactive-annotating", json=body)
    [result] = answer["data"]["result"]
    found: Json = result
    return found


def test_a_track_is_finished_by_a_job_or_cancelled_as_a_whole(
    label_studio: LabelStudio, tmp_path: Path
) -> None:
    config = CONFIG.replace("<VideoRectangle", f'<VideoRectangle model_frame_step="{STEP}"')
    (tmp_path / "ball.webm").write_bytes(video(FRAMES, {RED: swing}))
    project = label_studio.create_project("tracks", config)
    [task] = label_studio.upload(project, [tmp_path / "ball.webm"])
    variables = {
        "SEGMENT_MODEL": "starter",
        "SEGMENT_TRACK_SECONDS": "0",  # the time of a request is over after the first frame
        "ENGINE": "torch",
        "TRAIN_DIR": str(tmp_path / "training"),
        "CACHE_DIR": str(tmp_path / "cache"),
        "PREDICT_IN_BACKGROUND": "true",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    with served("segment", log=tmp_path / "log", **variables) as server:
        server.wait("/ready", 300)
        connected = label_studio.connect_backend(project, server.url, interactive=True)["id"]
        first = draw(label_studio, connected, task, 0)
        assert first["id"] == "drawn"
        assert first["value"]["sequence"][-1]["enabled"]
        [job] = jobs(server)
        assert (job["kind"], job["arguments"]["task"]) == ("drawn", task)
        ended = wait_for(
            lambda: next((j for j in jobs(server) if j["state"] == "done"), None), server
        )
        assert (ended["result"], ended["progress"]["fraction"]) == ({"task": task, "results": 1}, 1)
        [prediction] = label_studio.predictions(task_id=task)
        assert prediction["model_version"].endswith("-drawn")
        [track] = prediction["result"]
        boxes = track_boxes(track)
        assert list(boxes) == list(range(FRAMES - FRAMES % STEP - STEP + 1))
        overlaps = [iou(box, box_of(frame)) for frame, box in boxes.items()]
        assert sum(overlaps) / len(overlaps) > 0.85
        assert not track["value"]["sequence"][-1]["enabled"]

        draw(label_studio, connected, task, 3)  # another box, another job, which is cancelled
        running = wait_for(
            lambda: next((j for j in jobs(server) if j["progress"].get("fraction", 1) < 1), None),
            server,
        )
        httpx.post(f"{server.url}/jobs/{running['id']}/cancel", timeout=60).raise_for_status()
        wait_for(lambda: all(j["state"] in {"done", "cancelled"} for j in jobs(server)), server)
        assert {j["state"] for j in jobs(server)} == {"done", "cancelled"}
        assert len(label_studio.predictions(task_id=task)) == 1

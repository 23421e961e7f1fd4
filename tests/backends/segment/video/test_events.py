"""The events of the editor: what is sent and answered, by the official example's shapes."""

import base64
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backends.segment.video import events
from backends.segment.video.track_sessions import FOLDER, TrackSession, TrackSessions
from shared.pipeline.editor_events import _Runs
from shared.pipeline.runtime import reset_runtime, runtime
from tests.backends.segment.video.moving import (
    CONFIG,
    FPS,
    HEIGHT,
    RED,
    WIDTH,
    ColourBackend,
    Json,
    box_of,
    clip,
    iou,
    swing,
    url,
    video,
)
from tests.tiny import made, routed

pytest.importorskip("av")

# Until a condition holds, however busy the machine is.
PATIENCE_SECONDS = 120
IMAGE_CONFIG = """<View><Image name="i" value="$image"/>
<KeyPointLabels name="k" toName="i" smart="true"><Label value="Cat"/></KeyPointLabels>
<BrushLabels name="b" toName="i"><Label value="Cat"/></BrushLabels>
<PolygonLabels name="p" toName="i"><Label value="Dog"/></PolygonLabels></View>"""


def click(frame: int = 0, **more: Any) -> Json:
    x, y, _ = swing(frame)
    return {
        "type": "keypointlabels",
        "value": {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, **more},
    }


def box(frame: int = 0) -> Json:
    left, top, right, bottom = box_of(frame)
    place = {"x": 100 * left / WIDTH, "y": 100 * top / HEIGHT}
    place |= {"width": 100 * (right - left) / WIDTH, "height": 100 * (bottom - top) / HEIGHT}
    return {"type": "rectanglelabels", "value": place}


def answer_to(context: Json, config: str = CONFIG, task: Any = None) -> Json:
    """The prediction that answers a context."""
    plan = routed(made(ColourBackend, config), xml=config)
    given = {"id": 1, "data": {"video": url(clip())}} if task is None else task
    [outcome] = runtime().pipeline.run(plan, [given], context)
    found = outcome.to_response(interactive=True)
    assert isinstance(found, dict)
    return found


def ask(context: Json, **more: Any) -> Json:
    """The one result of the answer, with what each has."""
    [result] = answer_to(context, **more)["result"]
    assert (result["from_name"], result["to_name"], result["origin"]) == ("box", "video", "manual")
    assert isinstance(result["id"], str)
    return {"type": result["type"], **result["value"]}


def wait_until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.01)
    return found


def mask_box(frame: Json) -> tuple[float, float, float, float]:
    """The box around the white pixels of a frame's mask."""
    data = base64.b64decode(frame["imageDataURL"].removeprefix("data:image/png;base64,"))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (frame["height"], frame["width"]) == (HEIGHT, WIDTH)
    assert set(np.unique(pixels)) == {0, 255}
    ys, xs = np.nonzero(pixels)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def collect(session: str) -> list[Json]:
    """All frames of a track, asked for as the editor does; checks what each answer has."""
    frames: list[Json] = []
    while True:
        progress = ask({"event": "track_progress", "session_id": session})
        assert set(progress) == {"type", "frames", "produced", "total", "done", "error"}
        assert progress["type"] == "track_progress"
        frames += progress["frames"]
        assert progress["produced"] >= len(frames)
        if progress["done"]:
            assert progress["error"] is None
            return frames


def sessions(tmp_path: Path) -> TrackSessions:
    return TrackSessions(tmp_path / FOLDER)


def test_capabilities_name_the_tags_of_the_label_config() -> None:
    [result] = answer_to({"event": "capabilities"}, task={})["result"]
    assert result["type"] == "capabilities"
    assert result["value"] == {
        "prompts": ["point", "box"],
        "targets": [{"tag": "VideoRectangle", "output": "bbox", "features": ["track"]}],
        "model_info": {"name": "segment", "version": "colours"},
    }
    [result] = answer_to({"event": "capabilities"}, IMAGE_CONFIG)["result"]
    assert result["value"]["targets"] == [
        {"tag": "BrushLabels", "output": "mask"},
        {"tag": "PolygonLabels", "output": "polygon"},
    ]


def test_frames_around_the_one_that_is_seen_are_embedded_once() -> None:
    prewarm = {"event": "prewarm", "frame": 11, "window": 3}
    assert ask(prewarm) == {
        "type": "prewarm_ack",
        "status": "ok",
        "cached": [],
        "pending": [10, 11, 12, 13],
        "frame_count": 40,
    }
    wait_until(lambda: ask(prewarm)["cached"] == [10, 11, 12, 13])
    assert ColourBackend.made.encoded == 4
    backward = ask({"event": "prewarm", "time_ms": 440, "window": 2, "direction": "backward"})
    assert (backward["cached"], backward["pending"]) == ([10, 11], [9])
    late = ask({"event": "prewarm", "time_ms": 835, "window": 0})
    assert late["pending"] == [20]
    at_the_end = ask({"event": "prewarm", "frame": 39, "window": 999})
    assert at_the_end["pending"] == [38, 39]
    assert ask({"event": "predict", "frame": 12, "result": [click(11)]})["type"] == "bitmask"
    assert ColourBackend.made.encoded <= 8  # frame 11 was embedded before


def test_a_click_or_a_box_on_a_frame_gives_its_mask() -> None:
    for context in (
        {"event": "predict", "frame": 11, "result": [click(10)]},
        {"event": "predict", "time_ms": 10 / FPS * 1000 + 2, "result": [box(10)]},
    ):
        found = ask(context)
        assert found["type"] == "bitmask"
        assert iou(mask_box(found), box_of(10)) > 0.8
    assert answer_to({"event": "predict", "result": []})["result"] == []
    assert answer_to({"event": "predict", "result": [click(positive=False)]})["result"] == []
    beside = {**click(), "is_positive": False}
    assert answer_to({"event": "predict", "result": [beside]})["result"] == []


@pytest.mark.parametrize(
    ("context", "frames"),
    [
        ({"frame": 1}, list(range(40))),
        ({"frame": 21, "direction": "backward"}, list(range(20, -1, -1))),
        ({"frame": 21, "direction": "both", "max_frames": 3}, [20, 21, 22, 23, 19, 18, 17]),
        ({"time_ms": 402, "max_duration_ms": 200}, list(range(10, 16))),
        ({"time_ms": 435, "max_frames": 2}, [10, 11, 12]),
        ({"frame": 40}, [39]),
        ({"frame": 4000}, [39]),
        ({"frame": 1, "max_frames": 0}, [0]),
    ],
    ids=[
        "forward",
        "backward",
        "both ways",
        "by time",
        "late in a frame",
        "last frame",
        "after it",
        "no more",
    ],
)
def test_an_object_is_followed_frame_by_frame(context: Json, frames: list[int]) -> None:
    start = frames[0]
    started = ask({"event": "track", "result": [box(start)], **context})
    assert started.pop("type") == "track_started"
    session = started.pop("session_id")
    assert started.pop("duration_ms") == pytest.approx(1600, abs=1)
    assert started == {"total_frames": len(frames), "fps": 25}
    found = collect(session)
    assert [one["frame"] for one in found] == frames
    for one in found:
        assert one["time_ms"] == pytest.approx(one["frame"] * 40, abs=1)
        assert iou(mask_box(one), box_of(one["frame"])) > 0.75
    gone = ask({"event": "track_progress", "session_id": session})
    assert gone == {"type": "track_progress", "error": "session not found", "done": True}


class Gate:
    """Holds the model back before a frame."""

    def __init__(self, frame: int) -> None:
        self.frame = frame
        self.reached, self.go = threading.Event(), threading.Event()

    def pass_by(self, number: int) -> None:
        if number == self.frame:
            self.reached.set()
            assert self.go.wait(PATIENCE_SECONDS)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The model stops before its sixth frame."""
    held, load = Gate(5), ColourBackend.load

    def load_held(self: ColourBackend, spec: Any) -> Any:
        model = load(self, spec)
        ColourBackend.made.before_frame = held.pass_by
        return model

    monkeypatch.setattr(ColourBackend, "load", load_held)
    return held


def test_a_track_is_cancelled_at_any_moment(gate: Gate, tmp_path: Path) -> None:
    session = ask({"event": "track", "result": [box()]})["session_id"]
    gate.reached.wait(PATIENCE_SECONDS)
    busy = ask({"event": "track", "result": [box()]})
    assert busy == {
        "type": "track_busy",
        "error": "tracking capacity exhausted",
        "active_or_queued": 1,
        "resident_sessions": 1,
        "max_sessions": 1,
    }
    progress = ask({"event": "track_progress", "session_id": session})
    assert (len(progress["frames"]), progress["done"], progress["total"]) == (5, False, 40)
    others = {"id": 2, "data": {"video": url(clip())}}
    cancel = {"event": "track_cancel", "session_id": session}
    assert ask(cancel, task=others)["status"] == "not_found"
    assert ask(cancel) == {"type": "track_cancel_ack", "status": "cancelled"}
    assert ask(cancel) == {"type": "track_cancel_ack", "status": "not_found"}
    gate.go.set()
    wait_until(lambda: ask({"event": "track", "result": [box()]})["type"] == "track_started")
    assert ColourBackend.made.encoded < 40
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_release_ends_the_tracks_of_the_task(gate: Gate, tmp_path: Path) -> None:
    ask({"event": "track", "result": [box()]})
    gate.reached.wait(PATIENCE_SECONDS)
    assert ask({"event": "release"}) == {"type": "release_ack", "status": "released"}
    gate.go.set()
    wait_until(lambda: not sessions(tmp_path).running())
    assert ColourBackend.made.encoded < 40


def test_progress_waits_for_a_frame_and_says_so_without_one(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "WAIT_SECONDS", 0.1)
    gate.frame = 0
    session = ask({"event": "track", "result": [box()]})["session_id"]
    gate.reached.wait(PATIENCE_SECONDS)
    progress = ask({"event": "track_progress", "session_id": session})
    assert (progress["frames"], progress["produced"], progress["done"]) == ([], 0, False)
    monkeypatch.setattr(events, "WAIT_SECONDS", PATIENCE_SECONDS)
    threading.Timer(0.2, gate.go.set).start()
    assert collect(session)[0]["frame"] == 0


def test_another_process_hands_the_frames_out(tmp_path: Path) -> None:
    """The folder is all that a worker needs: here a second runtime stands for it."""
    session = ask({"event": "track", "result": [box()]})["session_id"]
    wait_until(lambda: not sessions(tmp_path).running())
    reset_runtime()
    assert [one["frame"] for one in collect(session)] == list(range(40))


def test_a_track_whose_process_was_killed_says_so(tmp_path: Path) -> None:
    session = sessions(tmp_path).create(1, 40)
    (session.folder / "alive").touch()
    old = time.time() - 1000
    os.utime(session.folder / "alive", (old, old))
    progress = ask({"event": "track_progress", "session_id": session.id})
    assert progress["done"]
    assert "the process" in progress["error"].lower()


def test_a_track_that_nobody_asks_for_is_given_up(gate: Gate, tmp_path: Path) -> None:
    name = ask({"event": "track", "result": [box()]})["session_id"]
    gate.reached.wait(PATIENCE_SECONDS)
    session = TrackSession(tmp_path / FOLDER / name)
    old = time.time() - 1000
    os.utime(session.folder / "taken", (old, old))
    gate.go.set()
    wait_until(lambda: session.is_cancelled)
    assert ColourBackend.made.encoded < 40


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"result": []}, "Nothing says where the object is"),
        ({"result": [click(positive=False)]}, "Nothing says where the object is"),
        ({"result": "text"}, "should be a list"),
        ({"result": [None]}, 'has no "value"'),
        ({"result": [{"value": {"x": 1}}]}, '"y" should be a number'),
        ({"result": [{"value": {"x": 1, "y": float("nan")}}]}, '"y" should be a number'),
        ({"result": [{"value": {"x": 101, "y": 1}}]}, "outside of the frame"),
        ({"result": [{"value": {"x": 1, "y": 1, "width": 0, "height": 0}}]}, "0.0 × 0.0 pixels"),
        ({"result": [{"value": {"x": 200, "y": 1, "width": 9, "height": 9}}]}, "× 10.8 pixels"),
        ({"result": [click()] * 300}, "at most 256"),
        ({"result": [click()], "direction": "up"}, "forward, backward, both"),
        ({"result": [click()], "max_frames": -1}, "should not be negative"),
        ({"result": [click()], "max_frames": "many"}, '"max_frames" should be a number'),
        ({"result": [click()], "frame": "x"}, '"frame" should be a number'),
        ({"result": [click()], "frame": 10**400}, '"frame" should be a number'),
    ],
)
def test_a_track_that_cannot_be_started_says_why(context: Json, says: str) -> None:
    answer = ask({"event": "track", **context})
    assert (answer["type"], answer["done"]) == ("track_error", True)
    assert says in answer["error"]


def test_a_folder_that_cannot_hold_a_track_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    answer = ask({"event": "track", "result": [box()]})
    assert answer["type"] == "track_error"
    assert "CACHE_DIR cannot hold the track" in answer["error"]


def test_who_waits_for_frames_is_told_of_the_cancelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sessions(tmp_path).create(1, 40)
    (session.folder.parent / ".DS_Store").touch()
    monkeypatch.setattr(_Runs, "pause", lambda *_: sessions(tmp_path).remove(session))
    told = ask({"event": "track_progress", "session_id": session.id})
    assert told == {"type": "track_progress", "error": "session not found", "done": True}
    assert ask({"event": "release"})["status"] == "released"


def test_a_track_that_a_full_disk_ends_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sessions(tmp_path).create(1, 40)
    monkeypatch.setattr(Path, "write_text", no_space)
    session.end("something")
    assert sessions(tmp_path).find(session.id, 1) is None


def no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_video_that_cannot_be_read() -> None:
    task = {"id": 1, "data": {"video": url(b"no video")}}
    assert "Not a readable video" in ask({"event": "track", "result": [box()]}, task=task)["error"]
    assert ask({"event": "prewarm"}, task=task)["status"] == "error"
    assert answer_to({"event": "predict", "result": [box()]}, task=task) == {"result": []}


def test_an_object_that_is_not_there_gives_a_track_without_frames() -> None:
    data = video(10, {RED: lambda frame: None})
    task = {"id": 1, "data": {"video": url(data)}}
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    context = {"event": "track", "result": [box()]}
    [outcome] = runtime().pipeline.run(plan, [task], context)
    assert outcome.prediction is not None
    session = outcome.prediction.results[0]["value"]["session_id"]
    progress: Json = {"done": False}
    while not progress["done"]:
        progress = ask({"event": "track_progress", "session_id": session}, task=task)
    assert (progress["frames"], progress["error"]) == ([], None)


@pytest.mark.parametrize("name", ["dance", "", 7, None, ["track"]])
def test_an_event_of_unknown_kind_is_answered_with_an_empty_object(name: Any) -> None:
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    [outcome] = runtime().pipeline.run(plan, [{"id": 1, "data": {}}], {"event": name})
    assert "context.event should be" in str(outcome.error)
    assert outcome.to_response(interactive=True) == {"result": []}


@pytest.mark.parametrize("session", ["../../etc", "", None, 7, "0" * 12, "x" * 5000])
def test_a_session_that_there_is_not(session: Any) -> None:
    assert ask({"event": "track_progress", "session_id": session})["error"] == "session not found"
    assert ask({"event": "track_cancel", "session_id": session})["status"] == "not_found"


def test_pictures_have_no_frames_to_prepare() -> None:
    [result] = answer_to({"event": "prewarm"}, IMAGE_CONFIG)["result"]
    assert (result["type"], result["value"]) == (
        "prewarm_ack",
        {"status": "ok", "cached": [0], "pending": []},
    )
    [result] = answer_to({"event": "track", "result": [box()]}, IMAGE_CONFIG)["result"]
    assert "shows no video" in result["value"]["error"]

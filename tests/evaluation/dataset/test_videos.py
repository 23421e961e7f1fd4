"""Videos as pictures: the frames that the editor shows, with the boxes that it shows there."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.evaluation.dataset.frames import box_at
from shared.results import Rectangle, VideoBox
from tests.backends.detection.clip import encode_video

from .building import build, task
from .test_yolo import load, read_boxes, red_box

pytest.importorskip("av")

CONFIG = """<View><Video name="video" value="$video" frameRate="10"/>
  <VideoRectangle name="box" toName="video"/>
  <Labels name="label" toName="video"><Label value="Car"/><Label value="Bus"/></Labels></View>"""
SIZE = (96, 64)


def drawn_at(frame: float) -> tuple[float, float, float, float]:
    """Where the red box is on a frame of 10 per second, in pixels."""
    return 4 + 2 * frame, 10 + frame, 24 + 2 * frame, 26 + frame


def video(fps: int, frames: int) -> str:
    """A red box that moves evenly, the same in time whatever the file's frame rate."""
    pictures = []
    for number in range(frames):
        left, top, right, bottom = (round(value) for value in drawn_at(number * 10 / fps))
        pixels = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
        pixels[top:bottom, left:right] = (250, 20, 20)
        pictures.append(pixels)
    data = encode_video(pictures, "mp4", fps)
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


def key_frame(frame: int, enabled: bool = True) -> dict[str, Any]:
    """A key frame of the editor, which counts from 1."""
    left, top, right, bottom = drawn_at(frame)
    return {
        "frame": frame + 1,
        "enabled": enabled,
        "x": left / SIZE[0] * 100,
        "y": top / SIZE[1] * 100,
        "width": (right - left) / SIZE[0] * 100,
        "height": (bottom - top) / SIZE[1] * 100,
        "rotation": 0,
    }


def track(*key_frames: dict[str, Any]) -> list[dict[str, Any]]:
    value = {"framesCount": 20, "duration": 2, "sequence": list(key_frames)}
    common = {"id": "one", "to_name": "video"}
    return [
        {**common, "from_name": "box", "type": "videorectangle", "value": value},
        {**common, "from_name": "label", "type": "labels", "value": {**value, "labels": ["Bus"]}},
    ]


@pytest.mark.parametrize("fps", [10, 30, 5])
def test_boxes_fit_the_frames(fps: int, tmp_path: Path) -> None:
    """A file of 30 or 5 frames a second is annotated at the tag's 10, with two key frames."""
    result = track(key_frame(0), key_frame(18, enabled=False))
    raws = [task(1, {"video": video(fps, fps * 2)}, result)]
    built = build(tmp_path, CONFIG, raws, "yolo", frame_step=4)
    dataset = load(built)
    names = sorted(Path(name).name for name in dataset.im_files)
    assert names == sorted(f"task-1-frame-{number}.jpg" for number in (0, 4, 8, 12, 16))
    for number, name in enumerate(dataset.im_files):
        frame = int(Path(name).stem.rpartition("-")[2])
        pixels, boxes = read_boxes(dataset, number)
        assert boxes[0] == pytest.approx(np.array(drawn_at(frame)), abs=1e-2)
        assert np.abs(boxes[0] - red_box(pixels)).max() <= 1
        assert dataset.labels[number]["cls"].tolist() == [[1.0]]


def test_a_frame_without_a_box_is_a_negative(tmp_path: Path) -> None:
    result = track(key_frame(4), key_frame(8, enabled=False))
    built = build(
        tmp_path, CONFIG, [task(1, {"video": video(10, 20)}, result)], "yolo", frame_step=4
    )
    lines = {
        path.stem: path.read_text().count("\n")
        for path in (built.folder / "labels/train").iterdir()
    }
    assert lines == {
        "task-1-frame-0": 0,
        "task-1-frame-4": 1,
        "task-1-frame-8": 1,
        "task-1-frame-12": 0,
        "task-1-frame-16": 0,
    }


BOXES = (
    VideoBox(10, Rectangle(0, 0, 10, 10, 350)),
    VideoBox(20, Rectangle(10, 20, 20, 10, 10), enabled=False),
    VideoBox(30, Rectangle(50, 50, 10, 10)),
)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (9, None),
        (10, (0, 0, 10, 10, 350)),
        (15, (5, 10, 15, 10, 0)),
        (20, (10, 20, 20, 10, 10)),
        (21, None),
        (30, (50, 50, 10, 10, 0)),
        (99, (50, 50, 10, 10, 0)),
    ],
    ids=["before", "key frame", "between", "last shown", "hidden", "again", "to the end"],
)
def test_box_at(frame: int, expected: tuple[float, ...] | None) -> None:
    found = box_at(BOXES, frame)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        shown = (found.x, found.y, found.width, found.height, found.rotation % 360)
        assert shown == pytest.approx(expected)

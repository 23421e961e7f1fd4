"""Frames of a video a second, tracked: python -m tests.bench.video

Ours through `/predict` and HTTP, beside what the official YOLO example does with a video:
`model.track` of Ultralytics, frame by frame in PyTorch. The network is an untrained YOLO11n at
640 pixels, which costs what a trained one costs.
"""

import itertools
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx

from tests.backends.detection.clip import draw_frame, encode_video
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import Served, served

CONFIG = """<View><Video name="video" value="$video" frameRate="25"/>
<VideoRectangle name="box" toName="video" model_tracker="botsort" model_path="yolo11n.pt"/>
<Labels name="label" toName="video"><Label value="person" predicted_values="0"/></Labels></View>"""
FRAMES, ROUNDS = 300, 2
SIZE = (640, 480)


def rows(size: Size = "whole") -> Iterator[Row]:
    """One video in one request."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO

    count = sized(size, FRAMES, 100, 6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = YOLO("yolo11n.yaml")
        network.save(folder / "yolo11n.pt")
        film = encode_video(
            [cv2.resize(draw_frame(number)[0], SIZE) for number in range(count)], "mp4"
        )
        (folder / "theirs.mp4").write_bytes(film)
        names = itertools.count()
        settings = {"LOCAL_FILES_ROOT": name, "MODEL_DIR": name, "DETECTION_MODEL": "yolo11n.pt"}
        settings |= sized(size, {}, {}, {"ENGINE": "torch"})  # which converts nothing
        with served("detection", log=folder / "log", **settings) as server:
            server.wait("/ready", 300)
            figures = in_turns(
                sized(size, ROUNDS, 1, 1),
                lambda: rate(count, lambda: through_http(server, folder, film, next(names))),
                lambda: rate(count, lambda: frame_by_frame(network, folder / "theirs.mp4")),
            )
    yield Row(
        f"Tracks, {count} frames of {SIZE[0]}×{SIZE[1]}",
        "frames/s",
        *figures,
        "Ultralytics' track",
        at_least=2,
    )


def through_http(server: Served, folder: Path, film: bytes, number: int) -> None:
    """Each time another file, since what was watched before is known."""
    free = struct.pack(">I4sQ", 16, b"free", number)
    (folder / f"{number}.mp4").write_bytes(film + free)
    task = {"id": number, "data": {"video": f"/data/local-files/?d={number}.mp4"}}
    body = {"tasks": [task], "label_config": CONFIG, "project": "1.1"}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=600).json()
    assert isinstance(answer["results"][0], dict), answer


def frame_by_frame(network: Any, path: Path) -> None:
    for _ in network.track(
        str(path), conf=0.25, iou=0.7, tracker="botsort.yaml", stream=True, verbose=False
    ):
        pass


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))

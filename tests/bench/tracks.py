"""A box followed through a video: python -m tests.bench.tracks [--quick]

The starter and SAM 2.1 (its real size of a tiny network, random weights) on a video of 300 frames
of 320 × 240 pixels: a star that turns, grows and moves over a rough ground. Said are how well the
track fits what was drawn (mean IoU over all frames of the editor), the time of a frame, and by how
much the process grows over a video that is five times as long.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from backends.detection.starter.shapes import outline
from backends.segment.models.starter_model import StarterModel
from backends.segment.prompts import Box, ObjectPrompt
from backends.segment.starter.pictures import draw_picture
from backends.segment.video.following import FollowedObject, Way, follow_way
from backends.segment.video.memory_tracker import MemoryNetwork, MemoryTracker
from backends.segment.video.object_tracker import ObjectTracker
from backends.segment.video.prompted_tracker import PromptedTracker
from shared.media.video import VideoFile, VideoLimits
from shared.pipeline.process_memory import release_memory, resident_bytes
from tests.backends.detection.clip import encode_video
from tests.backends.segment.video.moving import iou
from tests.bench.table import Row, Size, show, size_of, sized

WIDTH, HEIGHT, FPS = 320, 240, 25
COLOURS = ((205, 40, 60), (40, 90, 200), (240, 220, 60))
Edges = tuple[float, float, float, float]


def rows(size: Size = "whole") -> Iterator[Row]:
    """How well, how quickly and with how much memory objects are followed."""
    frames, seeds = sized(size, (300, 3), (100, 1), (4, 1))
    tracker = PromptedTracker(StarterModel())
    fits, seconds = [], []
    for seed in range(seeds):
        drawn = [draw(frame, seed) for frame in range(frames)]
        file = open_video([pixels for pixels, _ in drawn])
        start = time.perf_counter()
        found = follow(file, tracker, drawn[0][1])
        seconds.append((time.perf_counter() - start) / frames * 1000)
        fits.append(mean_iou(found, [box for _, box in drawn]))
    yield Row(f"starter: mean IoU over {frames} frames", "", tuple(fits), at_least=0.85)
    yield Row("starter: a frame", "ms", tuple(seconds))
    if size == "smallest":
        return
    network = MemoryNetwork(*random_sam2())
    short, long = sized(size, (12, 60), (6, 12), (1, 1))
    grown = [memory_growth(network, count) for count in (short, long)]
    name = f"SAM 2.1 tiny: memory over {long} frames beside {short}"
    yield Row(name, "MB", (grown[1],), at_most=grown[0] + 100)


def draw(frame: int, seed: int) -> tuple[Any, Edges]:
    """Return the pixels of a frame, RGB, and the exact box of the star."""
    pixels = ground(seed).copy()
    x = WIDTH / 2 + 100 * np.cos(frame / 45 + seed)
    y = HEIGHT / 2 + 70 * np.sin(frame / 30 + seed)
    turn, radius = frame / 50, 26 + 6 * np.sin(frame / 40)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = outline("star") @ turned.T * radius + [x, y]
    points = np.rint((corners - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(pixels, [points], COLOURS[seed], cv2.LINE_AA, 4)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return pixels, (left, top, right, bottom)


def ground(seed: int) -> Any:
    """A rough ground without shapes."""
    return draw_picture(np.random.default_rng(seed), (WIDTH, HEIGHT), "rough", 0).image


def open_video(pictures: Sequence[Any]) -> VideoFile:
    return VideoFile.open(encode_video(pictures, "mp4"), VideoLimits(10, 100_000))


def follow(file: VideoFile, tracker: ObjectTracker, box: Edges) -> FollowedObject:
    way = Way(0.0, file.duration, [ObjectPrompt(box=Box(*box))])
    [found] = follow_way(file, tracker, way).objects
    return found


def mean_iou(found: FollowedObject, boxes: Sequence[Edges]) -> float:
    """Frames on which it was not found count as 0."""
    by_frame = {round(t * FPS): box for t, box in zip(found.times, found.boxes, strict=True)}
    overlaps = [
        iou((*by_frame[frame],), box) if frame in by_frame else 0.0
        for frame, box in enumerate(boxes)
    ]
    return float(np.mean(overlaps))


def random_sam2() -> tuple[Any, Any, Any, str]:
    """A SAM 2.1 tiny for videos as it is published, with random weights, on a CPU."""
    from transformers import Sam2VideoConfig, Sam2VideoInferenceSession, Sam2VideoModel

    from backends.segment.models.transformers_models import frame_of_config

    network = Sam2VideoModel(Sam2VideoConfig()).eval()
    return network, Sam2VideoInferenceSession, frame_of_config(network.config), "cpu"


def memory_growth(network: MemoryNetwork, frames: int) -> float:
    """Return by how many MB the process is larger after so many frames than after the first."""
    tracker = MemoryTracker(network)
    pixels, box = draw(0, 0)
    tracker.start(pixels, [ObjectPrompt(box=Box(*box))])
    before = resident_bytes()
    for frame in range(1, frames):
        tracker.follow(draw(frame, 0)[0])
    release_memory()
    return (resident_bytes() - before) / 1e6


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))

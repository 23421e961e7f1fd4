"""Tracks through videos, and spans of their frames."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim
from shared.cli.scaffold.templates.clip import Clip
from shared.label_studio.task import Task
from shared.results import Rectangle, Region, TimelineSpan, VideoBox, VideoTrack, region


class Box(NamedTuple):
    """Where something is in a frame, counted from 0: left, top, right, bottom in pixels."""

    frame: int
    box: tuple[float, float, float, float]


class Span(NamedTuple):
    """Frames `start` to `end` (exclusive), counted from 0."""

    start: int
    end: int
    name: str
    score: float


class Tracker:
    """A stand-in: it follows what is bright. Put yours in its place."""

    def predict(self, clips: list[Clip]) -> list[tuple[Clip, list[Box]]]:
        """Where it is in each frame of each video."""
        return [(clip, follow(clip)) for clip in clips]


def follow(clip: Clip) -> list[Box]:
    """The box around the bright pixels of each frame that has some."""
    boxes = []
    across = clip.video.size.width / clip.frames.shape[2]
    down = clip.video.size.height / clip.frames.shape[1]
    for number, frame in enumerate(clip.frames):
        bright = frame > 150
        if bright.any():
            xs, ys = np.flatnonzero(bright.any(axis=0)), np.flatnonzero(bright.any(axis=1))
            box = xs[0] * across, ys[0] * down, (xs[-1] + 1) * across, (ys[-1] + 1) * down
            boxes.append(Box(number, box))
    return boxes


class Model:
    """A stand-in: it finds the bright part of each video. Put yours in its place."""

    classes = ("Bright",)

    def predict(self, clips: list[Clip]) -> list[tuple[Clip, list[Span]]]:
        """What is in each video."""
        return [(clip, find(clip)) for clip in clips]


def find(clip: Clip) -> list[Span]:
    """From the first to the last frame that is brighter than they are on the whole."""
    levels = clip.frames.mean(axis=(1, 2))
    bright = np.flatnonzero(levels > levels.mean() + 1)
    if not bright.size:
        return []
    score = float(levels[bright].mean()) / 255
    return [Span(int(bright[0]), int(bright[-1]) + 1, "Bright", score)]


def brightness(clip: Clip) -> float:
    """How bright a video is, from 0 to 1."""
    return float(clip.frames.mean()) / 255


class Tracks(Backend):
    """For VideoRectangle."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> Clip:
        return Clip.read(task, claim.object, self.media)

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        clip, boxes = output
        track = [VideoBox(found.frame, Rectangle.from_xyxy(found.box)) for found in boxes]
        if track:
            yield region(VideoTrack(track), {claim.control: None}, clip.video)


class Spans(Backend):
    """For TimelineLabels."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        clip, spans = output
        labels = claim.labels_for(Model.classes)
        for found in spans:
            if found.name in labels:
                span = TimelineSpan(found.start, found.end)
                marks = {claim.control: [labels[found.name]]}
                yield region(span, marks, clip.video, found.score)

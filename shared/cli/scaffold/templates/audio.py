"""Spans of recordings."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim
from shared.cli.scaffold.templates.sound import Sound
from shared.label_studio.task import Task
from shared.results import AudioSpan, Region, region


class Found(NamedTuple):
    """From `start` to `end` in seconds."""

    start: float
    end: float
    name: str
    score: float


class Model:
    """A stand-in: it finds the loud part. Put yours in its place."""

    classes = ("Loud",)

    def predict(self, sounds: list[Sound]) -> list[tuple[Sound, list[Found]]]:
        """What is in each recording."""
        return [(sound, find(sound)) for sound in sounds]


def find(sound: Sound) -> list[Found]:
    """From the first to the last sample over half of the loudest."""
    level = np.abs(sound.samples)
    loud = np.flatnonzero(level > level.max(initial=0.0) / 2)
    if not loud.size:
        return []
    start, end = float(loud[0]) / sound.rate, float(loud[-1] + 1) / sound.rate
    return [Found(start, end, "Loud", float(level.max()))]


def loudness(sound: Sound) -> float:
    """How loud a recording is, from 0 to 1."""
    return float(np.abs(sound.samples).mean()) if sound.samples.size else 0.0


class Spans(Backend):
    """For Labels."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> Sound:
        return Sound.decode(self.media.fetch(task.text_value(claim.object), task.id))

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        sound, spans = output
        labels = claim.labels_for(Model.classes)
        for found in spans:
            if found.name in labels:
                span = AudioSpan(found.start, found.end)
                marks = {claim.control: [labels[found.name]]}
                yield region(span, marks, sound.seconds, found.score)

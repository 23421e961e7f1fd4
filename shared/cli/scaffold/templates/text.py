"""Spans of texts, of HTML and of dialogues."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim
from shared.backend.passages import Passage, Passages
from shared.label_studio.task import Task
from shared.results import Region, region


class Found(NamedTuple):
    """Code points `start` to `end` (exclusive) of a passage, and what they are."""

    passage: Passage
    start: int
    end: int
    name: str
    score: float


class Model:
    """A stand-in: it finds long words. Put yours in its place."""

    classes = ("Word",)

    def predict(self, texts: list[Passages]) -> list[tuple[Passages, list[Found]]]:
        """What is in each text."""
        return [(text, [found for part in text.parts for found in find(part)]) for text in texts]


def find(passage: Passage) -> Iterable[Found]:
    """Its words of ten letters or more."""
    for match in re.finditer(r"\w{10,}", passage.text):
        length = match.end() - match.start()
        yield Found(passage, match.start(), match.end(), "Word", min(1.0, length / 20))


def wordiness(text: Passages) -> float:
    """How long the words of a text are, from 0 to 1."""
    words = text.text.split()
    return min(1.0, sum(map(len, words)) / len(words) / 10) if words else 0.0


class Spans(Backend):
    """For control tags with labels."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> Passages:
        return Passages.read(task, claim.object, self.media)

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, spans = output
        labels = claim.labels_for(Model.classes)
        for found in spans:
            if found.name in labels:
                place = text.shape(found.passage, found.start, found.end)
                yield region(place, {claim.control: [labels[found.name]]}, text.on, found.score)

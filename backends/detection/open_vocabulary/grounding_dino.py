"""Grounding DINO and MM-Grounding-DINO: all words are read as one text, "a cat. a dog."."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.detection.model.detections import FoundObjects
from backends.detection.open_vocabulary.captions import Caption, split_captions
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples
from backends.detection.open_vocabulary.grounding_outputs import Runner
from shared.media.image import Image


@dataclass(frozen=True)
class GroundingDino:
    """The model on its engine, which reads each text once.

    More words than fit into one text (256 tokens) make several, each a run of its own.
    """

    runner: Runner
    tokenizer: Any
    max_tokens: int

    def find(
        self, images: Sequence[Image], words: tuple[str, ...], min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image. A score is that of an object's best token."""
        parts: list[list[FoundObjects]] = [[] for _ in images]
        captions = list(split_captions(words, self.tokenizer, self.max_tokens))
        outputs = self.runner.run(images, [caption.tokens for caption in captions])
        for caption, (scores, boxes) in zip(captions, outputs, strict=True):
            for place, image in enumerate(images):
                found = _objects_of(scores[place], boxes[place], caption, min_score)
                scale = np.array([image.size.width, image.size.height] * 2, np.float32)
                parts[place].append(found._replace(boxes=found.boxes * scale))
        return [_join(found) for found in parts]

    def find_alike(self, image: Image, examples: DrawnExamples, min_score: float) -> None:
        """Return None: it reads words alone."""


def _objects_of(scores: Any, boxes: Any, caption: Caption, min_score: float) -> FoundObjects:
    """Return the queries of a sufficient score; each is of the word with its best token."""
    best = scores.max(axis=1)
    rows = np.flatnonzero(best >= min_score)
    by_word = [scores[rows, start:end].max(axis=1) for _, start, end in caption.words]
    numbers = np.array([number for number, _, _ in caption.words], np.int64)
    center, half = boxes[rows, :2], boxes[rows, 2:] / 2
    corners = np.concatenate([center - half, center + half], axis=1)
    return FoundObjects(corners, best[rows], numbers[np.argmax(by_word, axis=0)])


def _join(parts: Sequence[FoundObjects]) -> FoundObjects:
    boxes, scores, classes = (
        np.concatenate(arrays) for arrays in list(zip(*parts, strict=True))[:3]
    )
    return FoundObjects(boxes, scores, classes)

"""Character error rate and recall of word boxes, on drawn pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from backends.ocr.engines.base import OcrEngine
from backends.ocr.layout.granularity import join_text
from backends.ocr.layout.page import Page
from shared.media.image import Image
from tests.backends.ocr.drawing import Drawn, page

CLEAN = [{"seed": seed, "size": size} for seed in range(8) for size in (16, 24, 40)]
HARD = [
    {"seed": 100 + seed, "size": size, "degrees": degrees, "noise": noise}
    for seed, (degrees, noise) in enumerate(
        [(0, 25), (3, 0), (-5, 20), (12, 0), (-20, 15), (35, 0), (90, 10), (180, 10), (270, 0)]
    )
    for size in (20, 32)
]


@dataclass(frozen=True)
class Score:
    """Counts for some pages: wrong characters, all characters, words found, all words."""

    errors: int = 0
    characters: int = 0
    found: int = 0
    words: int = 0

    @property
    def error_rate(self) -> float:
        """The share of characters to insert, delete or replace."""
        return self.errors / max(1, self.characters)

    @property
    def recall(self) -> float:
        """The share of words that have a box, of any text, with an IoU of at least 0.5."""
        return self.found / max(1, self.words)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.errors + other.errors,
            self.characters + other.characters,
            self.found + other.found,
            self.words + other.words,
        )


def measure(engine: OcrEngine, kinds: Iterable[dict[str, Any]]) -> Score:
    """Read pages and compare them with what was drawn."""
    return sum((score(engine, page(**kind)) for kind in kinds), Score())


def score(engine: OcrEngine, drawn: Drawn) -> Score:
    read = engine.read(Image(np.asarray(drawn.image)))
    wanted = "\n".join(drawn.lines)
    boxes = _boxes(read)
    found = sum(any(_iou(box, other) >= 0.5 for other in boxes) for _, box in drawn.words)
    return Score(distance(wanted, join_text(read.lines)), len(wanted), found, len(drawn.words))


def distance(one: str, other: str) -> int:
    """Return the Levenshtein distance."""
    row = np.arange(len(other) + 1)
    codes = np.array([ord(char) for char in other])
    steps = np.arange(len(other) + 1)
    for count, char in enumerate(one, 1):
        best = np.empty_like(row)
        best[0] = count
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(char)))
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def _boxes(read: Page) -> Sequence[Any]:
    return [word.corners for line in read.lines for word in line.words]


def _iou(one: Any, other: Any) -> float:
    first, second = (np.asarray(quad, dtype=np.float32) for quad in (one, other))
    inside, _ = cv2.intersectConvexConvex(first, second)
    return float(inside / (cv2.contourArea(first) + cv2.contourArea(second) - inside))

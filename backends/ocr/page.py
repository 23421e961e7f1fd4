"""What an engine read: words in lines on a page, in pixels of the upright image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.image import Image
from shared.results import ImageSize

Corners = Sequence[Sequence[float]]
"""shape (4, 2): clockwise from the one that is top left as the text is read."""


@dataclass(frozen=True)
class Word:
    """One word: what stands between two spaces."""

    corners: Corners
    text: str
    score: float


@dataclass(frozen=True)
class Line:
    """One line of text, as the engine found it; its words are in order."""

    corners: Corners
    text: str
    score: float
    words: Sequence[Word] = ()


@dataclass(frozen=True)
class Page:
    """The lines of one image, in reading order."""

    size: ImageSize
    lines: Sequence[Line] = ()


class Engine(Protocol):
    """Reads images. What makes two of them differ is their ModelSpec."""

    def read(self, image: Image) -> Page:
        """The lines of an upright image."""

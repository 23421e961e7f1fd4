"""Words in lines on a page, in pixels of the upright image."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.media.image_size import ImageSize

# shape (4, 2): clockwise from the corner that is top left as the text is read
Corners = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Word:
    """Text between two spaces."""

    corners: Corners
    text: str
    score: float


@dataclass(frozen=True)
class Line:
    """A line of text, with its words in order.

    `corners` are the engine's: lines of one font size have boxes of one height. `ink_corners` lie
    close around what is printed, where that is known.
    """

    corners: Corners
    text: str
    score: float
    words: Sequence[Word] = ()
    ink_corners: Corners = ()

    @property
    def tight_corners(self) -> Corners:
        """The corners that people would draw."""
        return self.ink_corners or self.corners


@dataclass(frozen=True)
class Block:
    """A part of a page, such as a title or a table: left, top, right and bottom, and its class.

    Its text and its score are there where the engine tells them. One that `is_inside` another,
    such as a cell in a table, repeats a part of that one's text.
    """

    box: tuple[float, float, float, float]
    name: str
    score: float | None
    text: str = ""
    is_inside: bool = False


@dataclass(frozen=True)
class Page:
    """The lines of one image, in reading order; or its blocks, and the classes they may have."""

    size: ImageSize
    lines: Sequence[Line] = ()
    blocks: Sequence[Block] = ()
    block_names: Sequence[str] = ()


@dataclass(frozen=True)
class Recognition:
    """The text of a line, its score, and the position and score of each character but spaces.

    A position is a part of the line's width, from 0 to 1.
    """

    text: str
    score: float
    positions: Sequence[float] = ()
    character_scores: Sequence[float] = ()

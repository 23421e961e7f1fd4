"""What an engine read: words in lines on a page, in pixels of the upright image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from backends.ocr.engines.onnx_network import cores
from shared.media.image import Image
from shared.results import ImageSize

# shape (4, 2): clockwise from the one that is top left as the text is read.
Corners = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Word:
    """One word: what stands between two spaces."""

    corners: Corners
    text: str
    score: float


@dataclass(frozen=True)
class Line:
    """One line of text, as the engine found it; its words are in order.

    `ink` are the corners close around what is printed, if they are known: lines of like size have
    like corners, but their ink may be of quite different heights.
    """

    corners: Corners
    text: str
    score: float
    words: Sequence[Word] = ()
    ink: Corners = ()

    @property
    def close(self) -> Corners:
        """The corners that people would draw."""
        return self.ink or self.corners


@dataclass(frozen=True)
class Page:
    """The lines of one image, in reading order."""

    size: ImageSize
    lines: Sequence[Line] = ()


class Engine(ABC):
    """Reads images. What makes two of them differ is their ModelSpec."""

    @abstractmethod
    def read(self, image: Image) -> Page:
        """The lines of an upright image. Called in several threads at once."""

    def read_all(self, images: Sequence[Image]) -> list[Page]:
        """A page an image, as many at once as there are cores."""
        if len(images) == 1:
            return [self.read(images[0])]
        return list(self._pages.map(self.read, images))

    @cached_property
    def _pages(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(cores(), thread_name_prefix="page")

"""The images of a list (`valueList`): a task may have hundreds, and few are decoded at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from backends.detection.model.detector import Look
from shared.media.image import Image, decode

# Images that a network gets at once.
CHUNK = 8
# The same in bytes, where images are large: no more come to those that reach it.
CHUNK_BYTES = 64_000_000
# Images that are decoded, each in a thread, while those before them are looked at.
AHEAD = 4


@dataclass(frozen=True, eq=False)
class ListedImage:
    """An image file of a list, not decoded yet; `place` is its `item_index`."""

    file: bytes
    place: int
    max_megapixels: float


@dataclass(frozen=True, eq=False)
class View:
    """An image or a page, and how what the network says of it is read."""

    image: Image | ListedImage
    look: Look


@dataclass(frozen=True, eq=False)
class ImageList:
    """An image, or the pages of a list, in all ways in which the control tags on it look at them.

    Each is inferred by itself, so that other tasks have their turns between them, and none is
    after the deadline.
    """

    pages: tuple[Image | ListedImage, ...]
    looks: tuple[Look, ...]

    @property
    def views(self) -> tuple[View, ...]:
        """Each page in each way."""
        return tuple(View(page, look) for page in self.pages for look in self.looks)


def decoded_chunks(pages: Iterable[ListedImage]) -> Iterator[list[Image]]:
    """The images of pages, a few at a time; DecodeError for one that cannot be read."""
    left = iter(pages)
    chunk: list[Image] = []
    with ThreadPoolExecutor(AHEAD, "decode") as pool:
        coming = deque(pool.submit(_decoded, page) for page in islice(left, AHEAD))
        while coming:
            chunk.append(coming.popleft().result())
            coming.extend(pool.submit(_decoded, page) for page in islice(left, 1))
            if len(chunk) == CHUNK or sum(i.pixels.nbytes for i in chunk) >= CHUNK_BYTES:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _decoded(page: ListedImage) -> Image:
    return decode(page.file, page.max_megapixels)

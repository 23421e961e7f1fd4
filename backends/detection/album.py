"""The images of a list (`valueList`): a task may have hundreds, and few are decoded at a time."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from shared.image import Image, decode

CHUNK = 8
"""Images that a network gets at once, while the next ones are decoded."""
CHUNK_BYTES = 64_000_000
"""The same in bytes, where images are large: no more come to those that reach it."""


@dataclass(frozen=True, eq=False)
class Album:
    """Image files in their order, none of them decoded yet."""

    files: tuple[bytes, ...]
    max_megapixels: float

    @cached_property
    def digest(self) -> str:
        """What tells it from others."""
        made = hashlib.blake2b(digest_size=16)
        for file in self.files:
            made.update(len(file).to_bytes(8, "big") + file)
        return made.hexdigest()

    def chunks(self) -> Iterator[list[Image]]:
        """The images, a few at a time; DecodeError for one that cannot be read."""
        files = iter(self.files)
        with ThreadPoolExecutor(1, "decode") as pool:
            following = pool.submit(self._chunk, files)
            while chunk := following.result():
                following = pool.submit(self._chunk, files)
                yield chunk

    def _chunk(self, files: Iterator[bytes]) -> list[Image]:
        images: list[Image] = []
        while len(images) < CHUNK and sum(image.pixels.nbytes for image in images) < CHUNK_BYTES:
            file = next(files, None)
            if file is None:
                break
            images.append(decode(file, self.max_megapixels))
        return images

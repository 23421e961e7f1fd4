"""Finds what is nearly the same: pictures by gradients (dHash), texts by shingles (MinHash)."""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from shared.media.image import Pixels

# A picture's signature compares neighbours in rows of 16 steps: brighter, or darker, by more than
# noise (of 255).
GRID = 16
NOISE_LEVELS = 2
# Of 512 bits, at most so many differ between near-duplicates: what JPEG and resizing change.
MAX_DIFFERENT_BITS = 8
IMAGE_BITS = 2 * GRID * GRID

# A text's signature: the smallest hash of its shingles of three words under each of 32 functions.
SHINGLE_WORDS = 3
MAX_WORDS = 20_000
HASH_FUNCTIONS = 32
BANDS = 8
# The estimated share of common shingles (Jaccard) from which texts are near-duplicates.
MIN_COMMON_SHARE = 0.8
_PRIME = (1 << 31) - 1

# A band collects the first groups only: so that one very common band costs no quadratic time.
MAX_CANDIDATES = 64

TextSignature = NDArray[np.uint32]


def image_signature(pixels: Pixels) -> int:
    """Return 512 bits that change little when a picture is compressed or resized; 0 if it is plain.

    This is dHash (difference hash) on 16 × 16 steps with a margin, so that noise on plain areas
    sets no bits: https://www.hackerfactor.com/blog/?/archives/529-Kind-of-Like-That.html.
    """
    gray = Pillow.fromarray(pixels).convert("L").resize((GRID + 1, GRID), Pillow.Resampling.BOX)
    steps = np.diff(np.asarray(gray, np.int16), axis=1)
    bits = np.stack([steps > NOISE_LEVELS, steps < -NOISE_LEVELS])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def text_signature(text: str) -> TextSignature | None:
    """Return the MinHash of a text's words, whatever their case and punctuation; None without any.

    Shape (32,). The share of equal entries of two signatures estimates the share of common
    shingles: Broder, On the resemblance and containment of documents, 1997.
    """
    words = re.findall(r"\w+", text.lower())[:MAX_WORDS]
    if not words:
        return None
    places = range(max(len(words) - SHINGLE_WORDS + 1, 1))
    shingles = {" ".join(words[place : place + SHINGLE_WORDS]) for place in places}
    hashes = np.array([zlib.crc32(one.encode()) for one in shingles], np.uint64) % _PRIME
    mixed = (hashes[:, None] * _FACTORS + _TERMS) % _PRIME
    signature: TextSignature = mixed.min(axis=0).astype(np.uint32)
    return signature


_GENERATOR = np.random.Generator(np.random.PCG64(1))
_FACTORS = _GENERATOR.integers(1, _PRIME, HASH_FUNCTIONS, np.uint64)
_TERMS = _GENERATOR.integers(0, _PRIME, HASH_FUNCTIONS, np.uint64)


class _SignatureIndex:
    """Finds the first similar signature by equal parts of both (locality-sensitive hashing)."""

    def __init__(self) -> None:
        # Most parts are of one signature only: its number takes less memory than a list.
        self._buckets: dict[int, int | list[int]] = {}

    def find(self, parts: Sequence[int], is_similar: Callable[[int], bool]) -> int | None:
        """Return the number of the first entry that has an equal part and is similar."""
        found = {entry for part in parts for entry in self._entries_of(part)}
        return next((entry for entry in sorted(found) if is_similar(entry)), None)

    def add(self, parts: Sequence[int], entry: int) -> None:
        for part in parts:
            known = self._entries_of(part)
            if not known:
                self._buckets[part] = entry
            elif len(known) < MAX_CANDIDATES:
                self._buckets[part] = [*known, entry]

    def _entries_of(self, part: int) -> Sequence[int]:
        found = self._buckets.get(part, ())
        return (found,) if isinstance(found, int) else found


class SimilarImages:
    """Pictures that were seen first, each with its group."""

    def __init__(self) -> None:
        self._index = _SignatureIndex()
        self._entries: list[tuple[int, int]] = []

    def find_or_add(self, signature: int, group: int) -> int:
        """Return the group of the first similar picture; or remember this one with its `group`."""
        parts = list(_image_parts(signature))

        def is_similar(entry: int) -> bool:
            return (self._entries[entry][0] ^ signature).bit_count() <= MAX_DIFFERENT_BITS

        found = self._index.find(parts, is_similar)
        if found is not None:
            return self._entries[found][1]
        self._index.add(parts, len(self._entries))
        self._entries.append((signature, group))
        return group


class SimilarTexts:
    """Texts that were seen first, each with its group."""

    def __init__(self) -> None:
        self._index = _SignatureIndex()
        self._signatures: list[TextSignature] = []
        self._groups: list[int] = []

    def find_or_add(self, signature: TextSignature, group: int) -> int:
        """Return the group of the first similar text; or remember this one with its `group`."""
        rows = signature.reshape(BANDS, -1)
        parts = [zlib.crc32(row.tobytes(), number) for number, row in enumerate(rows)]

        def is_similar(entry: int) -> bool:
            equal = np.count_nonzero(self._signatures[entry] == signature)
            return bool(equal >= MIN_COMMON_SHARE * HASH_FUNCTIONS)

        found = self._index.find(parts, is_similar)
        if found is not None:
            return self._groups[found]
        self._index.add(parts, len(self._groups))
        self._signatures.append(signature)
        self._groups.append(group)
        return group


def _image_parts(signature: int) -> Iterator[int]:
    """Yield one part more than bits may differ: of similar signatures one part is equal."""
    count = MAX_DIFFERENT_BITS + 1
    width = -(-IMAGE_BITS // count)
    for number in range(count):
        part = signature >> (number * width) & ((1 << width) - 1)
        yield part * count + number

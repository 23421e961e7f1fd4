"""Vectors of items, close for items that look alike: what `Backend.embed` returns by default.

Each vector has four blocks, each of length 1 unless it is empty: the texts of the item, its
images, its numbers, and what the model finds in it. So any item can be described, whatever a
backend reads, and near-duplicates are close to each other.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from shared.errors import UnfillableError
from shared.media.image import Image, Pixels
from shared.results import Region

if TYPE_CHECKING:
    from shared.backend.base import Backend
    from shared.backend.claim import Claim

Vector = NDArray[np.float32]

# Characters of the pieces into which a text is cut, and dimensions into which they are counted.
SHINGLE_CHARACTERS = 4
TEXT_DIMENSIONS = 256
# An image is described by the steps of brightness in a grid of this side (a difference hash), and
# by the colours in a coarser one.
GRADIENT_SIDE = 16
COLOUR_SIDE = 4
NUMBER_DIMENSIONS = 64
LABEL_DIMENSIONS = 64
# How deep an item is searched for texts, images and numbers.
MAX_DEPTH = 4


def describe_items(
    backend: "Backend", model: Any, items: Sequence[Any], claims: Sequence["Claim"]
) -> NDArray[np.float32]:
    """Return a vector for each item, shape (items, dimensions): its content and what is found."""
    outputs = backend.infer(model, list(items))
    return np.stack(
        [
            np.concatenate([describe_content(item), _describe_regions(backend, output, claims)])
            for item, output in zip(items, outputs, strict=True)
        ]
    )


def describe_content(item: Any) -> Vector:
    """Return a vector of an item's texts, images and numbers."""
    texts, images, numbers = (list[Any]() for _ in range(3))
    for part in _walk(item, MAX_DEPTH):
        if isinstance(part, str):
            texts.append(describe_text(part))
        elif isinstance(part, Image):
            images.append(describe_image(part.pixels))
        else:
            numbers.append(_describe_numbers(part))
    image_dimensions = GRADIENT_SIDE**2 + 3 * COLOUR_SIDE**2
    return np.concatenate(
        [
            _normalized_sum(texts, TEXT_DIMENSIONS),
            _normalized_sum(images, image_dimensions),
            _normalized_sum(numbers, NUMBER_DIMENSIONS),
        ]
    )


def describe_text(text: str) -> Vector:
    """Return how often each piece of four characters occurs, by a hash of the piece, as a root."""
    codes = np.frombuffer(text.casefold().encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(codes) < SHINGLE_CHARACTERS:
        codes = np.pad(codes, (0, SHINGLE_CHARACTERS - len(codes)))
    hashes: NDArray[Any] = np.zeros(len(codes) - SHINGLE_CHARACTERS + 1, np.uint32)
    for place in range(SHINGLE_CHARACTERS):
        hashes = hashes * np.uint32(2654435761) + codes[place : place + len(hashes)]
    counts = np.bincount((hashes ^ hashes >> np.uint32(15)) % TEXT_DIMENSIONS, None)
    return _padded(np.sqrt(counts), TEXT_DIMENSIONS)


def describe_image(pixels: Pixels) -> Vector:
    """Return the steps of brightness from left to right, and the colours, of an RGB image."""
    picture = Pillow.fromarray(pixels)
    gray = picture.convert("L").resize((GRADIENT_SIDE + 1, GRADIENT_SIDE), Pillow.Resampling.BOX)
    steps = np.diff(np.asarray(gray, np.float32), axis=1).ravel()
    colours = picture.resize((COLOUR_SIDE, COLOUR_SIDE), Pillow.Resampling.BOX)
    shades = np.asarray(colours, np.float32).ravel() / 255
    return np.concatenate([_normalized(steps), shades / np.sqrt(len(shades))])


def _describe_numbers(values: NDArray[Any]) -> Vector:
    """Return the means of as many stretches of an array, such as a recording."""
    flat = np.nan_to_num(np.asarray(values, np.float32).ravel())
    stretches = np.array_split(flat, NUMBER_DIMENSIONS)
    return np.array([np.abs(part).mean() if part.size else 0 for part in stretches], np.float32)


def _describe_regions(backend: "Backend", output: Any, claims: Sequence["Claim"]) -> Vector:
    """Return the sum of the scores of each label that is found, and the texts that are."""
    labels = np.zeros(LABEL_DIMENSIONS, np.float32)
    texts: list[Vector] = []
    for region in _find_regions(backend, output, claims):
        for result in region.results:
            for name in _answers(result):
                place = zlib.crc32(f"{result['from_name']}\n{name}".encode()) % LABEL_DIMENSIONS
                labels[place] += 1 if region.score is None else region.score
            texts += [describe_text(str(text)) for text in result["value"].get("text") or ()]
    return np.concatenate([_normalized(labels), _normalized_sum(texts, TEXT_DIMENSIONS)])


def _find_regions(backend: "Backend", output: Any, claims: Sequence["Claim"]) -> Iterator[Region]:
    joined = backend.join([output])
    for claim in claims:
        try:
            found = backend.regions(joined, claim)
            yield from (region for region in found if isinstance(region, Region))
        except UnfillableError:
            continue


def _answers(result: Mapping[str, Any]) -> Iterable[str]:
    """Return the labels, choices or other short answers of a result."""
    found = result["value"].get(result["type"])
    if isinstance(found, list):
        return map(str, found)
    return () if found is None else (str(found),)


def _walk(item: Any, depth: int) -> Iterator[Any]:
    """Yield the texts, images and arrays in an item."""
    if isinstance(item, str | Image):
        yield item
    elif isinstance(item, bytes):
        yield np.bincount(np.frombuffer(item, np.uint8), minlength=256)
    elif isinstance(item, np.ndarray):
        if item.dtype.kind in "biuf" and item.size:
            yield item
    elif depth:
        for part in _parts(item):
            yield from _walk(part, depth - 1)


def _parts(item: Any) -> Iterable[Any]:
    if is_dataclass(item):
        return (getattr(item, field.name) for field in fields(item))
    if isinstance(item, Mapping):
        return item.values()
    return item if isinstance(item, list | tuple) else ()


def _normalized_sum(vectors: Sequence[Vector], dimensions: int) -> Vector:
    zeros = np.zeros(dimensions, np.float32)
    return _normalized(np.stack(vectors).sum(axis=0)) if vectors else zeros


def _normalized(vector: NDArray[Any]) -> Vector:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, np.float32)


def _padded(vector: NDArray[Any], dimensions: int) -> Vector:
    return np.pad(vector, (0, dimensions - len(vector))).astype(np.float32)

"""Images of one size together: those of several sizes would be padded, which changes boxes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.media.image import Image
from shared.results import ImageSize

Output = TypeVar("Output")


def run_by_size(
    images: Sequence[Image], batch_size: int, run: Callable[[Sequence[Image]], Sequence[Output]]
) -> list[Output]:
    """Return an output for each image, in order; `run` gets at most `batch_size` of one size."""
    by_size: defaultdict[ImageSize, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        by_size[image.size].append(index)
    outputs: dict[int, Output] = {}
    for indices in by_size.values():
        for start in range(0, len(indices), batch_size):
            batch = indices[start : start + batch_size]
            outputs |= zip(batch, run([images[index] for index in batch]), strict=True)
    return [outputs[index] for index in range(len(images))]

"""Inputs on which the parts of a SAM are converted, and compared with PyTorch."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._inference.network_part import TorchPart
from backends.segment.models.frames import Frame
from backends.segment.models.sam_model import FIRST_CORNER, LAST_CORNER, NO_POINT, POSITIVE

Inputs = Sequence[NDArray[Any]]
Examples = Callable[[], Sequence[Inputs]]


def example_image(frame: Frame, seed: int = 0) -> NDArray[np.float32]:
    """Return the input for a picture of coloured tiles, of another size for each seed."""
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 256, (6 + seed, 8, 3), np.uint8)
    return frame.prepare(np.kron(tiles, np.ones((40, 40, 1), np.uint8)))


def encoder_examples(frame: Frame) -> Examples:
    """Return what gives the examples for an encoder."""
    return lambda: [[example_image(frame, seed)] for seed in range(2)]


def feature_examples(frame: Frame, build_encoder: Callable[[], Any]) -> Examples:
    """Return what gives features of an image, by the encoder that is built for it, once."""

    def build() -> Sequence[Inputs]:
        return [TorchPart(build_encoder(), "cpu").run([example_image(frame)])]

    return cache(build)


def projection_examples(features: Examples) -> Examples:
    """Return what gives the tokens of an image, which are the first of its features."""
    return lambda: [image[:1] for image in features()]


def decoder_examples(
    frame: Frame, features: Examples, build_projection: Callable[[], Any] | None, mask_side: int
) -> Examples:
    """Return what gives the examples for a decoder: numbers of objects and points differ."""

    def build() -> Sequence[Inputs]:
        (image,) = features()
        if build_projection is not None:
            tokens, *larger = image
            image = [*TorchPart(build_projection(), "cpu").run([tokens]), *larger]
        rng = np.random.default_rng(0)
        examples = []
        for objects, labels in (
            (2, [POSITIVE, FIRST_CORNER, LAST_CORNER, NO_POINT]),
            (1, [POSITIVE, NO_POINT]),
        ):
            points = rng.uniform(0, frame.side, (objects, len(labels), 2)).astype(np.float32)
            earlier = rng.normal(0, 4, (1, 1, mask_side, mask_side)).astype(np.float32)
            rows = np.tile(np.array(labels, np.int64), (objects, 1))
            has_earlier = np.array([objects - 1], np.float32)
            examples.append([*image, points, rows, earlier, has_earlier])
        return examples

    return build

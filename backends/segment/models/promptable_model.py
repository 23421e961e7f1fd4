"""The interface of all promptable segmenters.

`backends.segment.models.loader` makes them: `find_weights(spec, settings)` returns the files of a
model, `load_model(spec, settings)` the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from numpy.typing import NDArray

from backends.segment.prompts import BinaryMask, Floats, ObjectPrompt
from shared.media.image import Pixels
from shared.results import ImageSize


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a model makes of an image, for any number of prompts: named arrays, as float32.

    The arrays are kept in half precision between two clicks: `decode` gets them as float32 again.
    """

    arrays: Mapping[str, NDArray[Any]]
    size: ImageSize

    @cached_property
    def byte_count(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True, eq=False)
class MaskPrediction:
    """The mask of one object.

    `mask` is bool, of the image's shape (height, width). `logits` float32 (h, w) are the model's
    own, in its own frame and resolution: what `ObjectPrompt.previous_logits` takes. `score` is
    the expected IoU, 0 to 1.
    """

    mask: BinaryMask
    logits: Floats
    score: float


class PromptableModel(Protocol):
    """A segmenter whose prompts cost little once it has seen the image. Used by several threads."""

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        """Return the embedding of an image: (height, width, 3), RGB, uint8.

        With `leaves_core` one of the processor's cores is left to clicks on other images.
        """

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        """Return the best mask for each prompt; none of them is empty (`is_empty`).

        `leaves_core` is that of `encode`.
        """

    def describe_engine(self) -> str:
        """Return what the model runs on, and why on nothing faster; "" if that goes unsaid."""

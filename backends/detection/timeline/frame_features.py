"""The features of frames: what the trunk of a network makes of them, which stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends._inference.device import choose_device
from backends.detection.model import loader, weights
from backends.detection.model.detector import Detector, RunOptions
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

# Each feature map is averaged in this many cells across and down: the means of whole maps would
# not tell where on the frame something is, and so not how it moves.
GRID = 3

Features = NDArray[np.float32]


@dataclass(frozen=True)
class FrameFeatures:
    """A network up to its head."""

    detector: Detector

    @classmethod
    def load(
        cls, model: str, image_size: int, settings: Settings, precision: str
    ) -> "FrameFeatures":
        """Load a network by the name of its weights; ModelError if it gives no features.

        It runs on PyTorch where the engine that would be chosen gives nothing but its outputs.
        """
        path = weights.find_weights(model, settings)
        run = RunOptions(image_size)
        for chosen in (settings, settings.model_copy(update={"engine": "torch"})):
            found = cls(loader.load_detector(path, run, chosen, precision))
            if found.detector.pool_features([_blank_image()], GRID) is not None:
                return found
        raise ModelError(f"{path.name} gives no features of frames on {choose_device(settings)}")

    def extract(self, frames: Sequence[Image]) -> Features:
        """Return the features of frames, shape (frames, features)."""
        maps = self.detector.pool_features(frames, GRID)
        if maps is None:
            raise ModelError("The network gives no features of frames")
        return np.concatenate(maps, axis=1)


def _blank_image() -> Image:
    return Image(np.zeros((32, 32, 3), np.uint8))

"""The features of frames: what the trunk of a network makes of them, which stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from backends._inference.device import choose_device
from backends.detection.model import loader, weights
from backends.detection.model.detector import Detector, RunOptions
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

# Frames are described in this many cells across and down: means over whole frames would not tell
# where something is, and so not how it moves.
GRID = 3
# Pixels across and down to which frames are shrunk for their colours.
COLOUR_SIDE = 16 * GRID
# The mean and deviation of red, green and blue.
COLOURS = 6

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
        """Return the features of frames, shape (frames, features): see `FeatureBlocks`.

        They have the frames' colours, too: a network for objects looks away from these.
        """
        maps = self.detector.pool_features(frames, GRID)
        if maps is None:
            raise ModelError("The network gives no features of frames")
        cells = np.concatenate([one.reshape(len(frames), -1, GRID**2) for one in maps], axis=1)
        colours = np.stack([_describe_colours(frame) for frame in frames])
        cells = np.concatenate([cells, colours], axis=1)
        return np.concatenate([cells.reshape(len(frames), -1), cells.mean(axis=2)], axis=1)


class FeatureBlocks(NamedTuple):
    """The columns of features: channels and colours of each cell, and their means over the frame.

    What the means tell holds wherever on the frame something is.
    """

    cell_channels: slice
    cell_colours: slice
    channels: slice
    colours: slice

    @classmethod
    def of_width(cls, features: int) -> "FeatureBlocks":
        """Return the blocks of so many features."""
        channels = features // (GRID**2 + 1) - COLOURS
        ends = np.cumsum([channels * GRID**2, COLOURS * GRID**2, channels, COLOURS]).tolist()
        return cls(*(slice(start, end) for start, end in zip([0, *ends], ends, strict=False)))


def _describe_colours(frame: Image) -> Features:
    """Return the mean and deviation of red, green and blue in each cell, (COLOURS, cells)."""
    shrunk = cv2.resize(frame.pixels, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    side = COLOUR_SIDE // GRID
    cells = shrunk.reshape(GRID, side, GRID, side, 3).astype(np.float32) / 255
    moments = [cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))]
    return np.asarray(np.concatenate(moments, axis=2).reshape(-1, COLOURS).T, np.float32)


def _blank_image() -> Image:
    return Image(np.zeros((32, 32, 3), np.uint8))

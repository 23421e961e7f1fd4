"""YOLOE's embeddings of boxes on an image, which take the place of those of words."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.letterbox import Letterbox
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples
from backends.detection.open_vocabulary.example_table import ExampleTable
from shared.media.image import Pixels

Floats = NDArray[np.float32]

# Pixels of the network's input to a cell of the masks that stand for boxes (LoadVisualPrompt).
CELL = 8


class VisualEncoder:
    """The part of a network that looks at examples: in PyTorch, loaded with the first of them."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self.kept = ExampleTable()
        """The embeddings of annotated pictures."""

    def encode(self, examples: DrawnExamples, frame: Letterbox) -> Floats:
        """Return the embedding of each label of the examples, shape (1, labels, dimensions).

        `frame` says where their image is in the network's input.
        """
        import torch

        pixels, boxes = frame.apply(examples.image.pixels), frame.boxes_to_input(examples.boxes)
        masks = torch.from_numpy(draw_masks(pixels, boxes, examples.classes))[None]
        with self._lock, torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(pixels))[None]
            images = batch.permute(0, 3, 1, 2).float() / 255
            found: Floats = self._network.predict(images, vpe=masks, return_vpe=True).numpy()
        return found

    @cached_property
    def _network(self) -> Any:
        from backends.detection.model.architecture import read_network

        return read_network(self._weights).network.float().eval()


def draw_masks(frame: Pixels, boxes: Floats, classes: NDArray[np.int64]) -> Floats:
    """Return for each class the cells that its boxes cover, shape (classes, height, width).

    A box between two cells has the one in its middle.
    """
    height, width = frame.shape[0] // CELL, frame.shape[1] // CELL
    masks = np.zeros((int(classes.max()) + 1, height, width), np.float32)
    for number, (left, top, right, bottom) in zip(classes, boxes / CELL, strict=True):
        columns = _cells(left, right, width)
        masks[number, _cells(top, bottom, height)[:, None], columns] = 1
    return masks


def _cells(start: float, end: float, count: int) -> NDArray[np.int64]:
    places = np.arange(count)
    found = np.flatnonzero((places >= start) & (places < end))
    return found if len(found) else np.array([min(int((start + end) / 2), count - 1)])

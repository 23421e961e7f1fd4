"""A loaded network: images in, all that one pass finds on each out."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detections import Detections
from backends.detection.model.engines import Engine
from backends.detection.model.letterbox import CenterCrop, Letterbox, frame_of
from backends.detection.model.postprocess import OutputDecoder
from shared.media.image import Image


class Look(NamedTuple):
    """How what a network says of an image is read.

    `iou` is the overlap from which two boxes are one; `least` the score under which nothing is
    looked at.
    """

    iou: float = 0.7
    least: float = 0.01


class Run(NamedTuple):
    """How a network is run, and how it is read unless another look is asked for.

    `image_size` is the longer side in pixels, 0 as trained.
    """

    image_size: int = 0
    iou: float = Look().iou
    least: float = Look().least


Placed = tuple[int, Letterbox | CenterCrop]


@dataclass
class Detector:
    """A network on its engine."""

    kind: NetworkSpec
    engine: Engine
    reader: OutputDecoder
    weights: object = None
    """What is shared with other models of the same weights, and stays as long as one of them."""
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.engine.threads, "detect")

    @property
    def task(self) -> str:
        """Ultralytics' word: detect, segment, pose, obb or classify."""
        return self.kind.task

    @property
    def names(self) -> tuple[str, ...]:
        """The network's classes."""
        return self.kind.names

    def reading(self, look: Look) -> "Detector":
        """Return the same network, read in another way."""
        other = copy.copy(self)
        other.reader = OutputDecoder(self.kind, look.least, look.iou)
        return other

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """What is on each image.

        Only images of one shape share a run, so that what is found on one does not depend on
        what comes with it.
        """
        batches = list(self._batches(frame_of(self.kind, image.size) for image in images))
        found: dict[int, Detections] = {}

        def run(batch: Sequence[Placed]) -> None:
            pixels = np.stack([frame.fit(images[index].pixels) for index, frame in batch])
            with self.engine.run(pixels) as outputs:
                for place, (index, frame) in enumerate(batch):
                    found[index] = self.reader.read([part[place] for part in outputs], frame)

        if len(batches) == 1:
            run(batches[0])
        else:
            list(self._threads.map(run, batches))
        return [found[index] for index in range(len(images))]

    def _batches(self, frames: Iterable[Letterbox | CenterCrop]) -> Iterator[list[Placed]]:
        shapes: defaultdict[tuple[int, int], list[Placed]] = defaultdict(list)
        for index, frame in enumerate(frames):
            shapes[frame.height, frame.width].append((index, frame))
        for alike in shapes.values():
            for start in range(0, len(alike), self.engine.together):
                yield alike[start : start + self.engine.together]

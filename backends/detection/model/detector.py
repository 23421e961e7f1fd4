"""A loaded network: images in, the detections on each out."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detections import Detections
from backends.detection.model.engines import Engine
from backends.detection.model.letterbox import CenterCrop, Floats, Letterbox, frame_for
from backends.detection.model.postprocess import OutputDecoder
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples, examples_error
from backends.detection.open_vocabulary.example_table import (
    Embedded,
    ExampleSet,
    alike_error,
    mean_by_label,
)
from backends.detection.open_vocabulary.visual_encoder import VisualEncoder
from backends.detection.open_vocabulary.word_table import WordTable
from shared.errors import UnfillableError
from shared.media.image import Image, Pixels


class Thresholds(NamedTuple):
    """How a network's output is decoded.

    Boxes that overlap by more than `iou` are one object; those under `min_score` are dropped.
    """

    iou: float = 0.7
    min_score: float = 0.01


class RunOptions(NamedTuple):
    """How a network runs, and the thresholds with which its output is decoded by default.

    `image_size` is the longer side of its input in pixels; 0 is the size it was trained at.
    """

    image_size: int = 0
    iou: float = Thresholds().iou
    min_score: float = Thresholds().min_score


# The index of an image, and the part of it that the network sees.
IndexedFrame = tuple[int, Letterbox | CenterCrop]


@dataclass
class Detector:
    """A network on its engine.

    It refers to what it shares with other models of the same weights, which lives as long as one
    of them does. A network that finds what words name has a table of their embeddings, and those
    of the words that it is asked for in `inputs`.
    """

    spec: NetworkSpec
    engine: Engine
    decoder: OutputDecoder
    shared_weights: object = None
    words: WordTable | None = None
    inputs: tuple[Floats, ...] = ()
    _threads: ThreadPoolExecutor = field(init=False)

    @property
    def parallel_images(self) -> int:
        """How many threads may detect at once, one image each, for the engine to be busy.

        1 where images share runs.
        """
        return self.engine.concurrency if self.engine.batch_size == 1 else 1

    def describe_engine(self) -> str:
        """Return what it runs on, and why on nothing faster."""
        return f"{self.engine.name}: {self.engine.note}" if self.engine.note else self.engine.name

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.engine.concurrency, "detect")

    @property
    def task(self) -> str:
        """The network's task in Ultralytics' words: detect, segment, pose, obb or classify."""
        return self.spec.task

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that the network knows."""
        return self.spec.class_names

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """The labels of its key points, where it was trained on them."""
        return self.spec.keypoint_names

    def with_thresholds(self, thresholds: Thresholds) -> "Detector":
        """Return the same network with other thresholds."""
        other = copy.copy(self)
        other.decoder = OutputDecoder(self.spec, thresholds.min_score, thresholds.iou)
        return other

    def with_words(self, words: Sequence[str]) -> "Detector":
        """Return the same network for other words, as far as there are embeddings for them.

        Raises UnfillableError if there are none. A network of fixed classes stays as it is, as
        does any without words.
        """
        if self.words is None or not words:
            return self
        return self._with_classes(*self.words.embed(words))

    def with_examples(self, examples: DrawnExamples) -> "Detector":
        """Return the same network for what looks like examples, which are classes by their labels.

        Raises UnfillableError if the network finds none by examples.
        """
        frame = frame_for(self.spec, examples.image.size)
        if self._visual is None or not isinstance(frame, Letterbox):
            raise examples_error(self.words.name if self.words else "The network")
        return self._with_classes(examples.labels, self._visual.encode(examples, frame))

    def with_annotated(self, examples: ExampleSet) -> "Detector":
        """Return the same network for what looks like examples on other images.

        Raises UnfillableError if the network finds none by examples, or none of them can be used.
        """
        visual, side = self._visual, self.spec.image_size
        if visual is None:
            raise alike_error(self.words.name if self.words else "The network")

        def compute(drawn: DrawnExamples) -> Embedded:
            # Ultralytics shows a reference image as a square.
            square = Letterbox.fit_longer_side(drawn.image.size, side, side)
            return Embedded(drawn.labels, visual.encode(drawn, square)[0])

        joined = mean_by_label(visual.kept.embed(examples, compute, f"{side} pixels"))
        return self._with_classes(joined.labels, joined.vectors[None])

    @property
    def _visual(self) -> VisualEncoder | None:
        return None if self.words is None else self.words.visual

    def _with_classes(self, names: tuple[str, ...], embeddings: Floats) -> "Detector":
        other = copy.copy(self)
        other.spec, other.inputs = replace(self.spec, class_names=names), (embeddings,)
        other.decoder = replace(self.decoder, spec=other.spec)
        return other

    def known_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return which words the network can find: its classes where these are fixed."""
        return self.class_names if self.words is None else self.words.known_words(words)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Return the detections on each image."""
        if self.words is not None and not self.inputs:
            raise UnfillableError(self.words.explain_unknown(["of this control tag"]))
        batches = list(self._batches(frame_for(self.spec, image.size) for image in images))
        detections: dict[int, Detections] = {}

        def run_batch(batch: Sequence[IndexedFrame]) -> None:
            pixels = _stack([frame.apply(images[index].pixels) for index, frame in batch])
            with self.engine.run(pixels, *self.inputs) as outputs:
                for row, (index, frame) in enumerate(batch):
                    detections[index] = self.decoder.decode([out[row] for out in outputs], frame)

        if len(batches) == 1:
            run_batch(batches[0])
        else:
            list(self._threads.map(run_batch, batches))
        return [detections[index] for index in range(len(images))]

    def embed(self, images: Sequence[Image]) -> NDArray[np.float32] | None:
        """Return what the trunk makes of each image, shape (images, channels).

        The means of the feature maps that the head gets, each map's channels with length 1. None
        if the engine gives nothing but the outputs.
        """
        maps = self.pool_features(images)
        if maps is None:
            return None
        return np.concatenate([_with_length_one(channels) for channels in maps], axis=1)

    def pool_features(
        self, images: Sequence[Image], grid: int = 1
    ) -> list[NDArray[np.float32]] | None:
        """Return the means of each feature map that the head gets, in grid × grid cells.

        Of shape (images, channels × grid²) each. None if the engine gives nothing but the outputs.
        """
        if self.spec.word_dimensions:  # what the head gets depends on words
            return None
        vectors: dict[int, list[NDArray[np.float32]]] = {}
        for batch in self._batches(frame_for(self.spec, image.size) for image in images):
            pixels = _stack([frame.apply(images[index].pixels) for index, frame in batch])
            maps = self.engine.pool_features(pixels, grid)
            if maps is None:
                return None
            for row, (index, _) in enumerate(batch):
                vectors[index] = [one[row] for one in maps]
        in_order = [vectors[index] for index in range(len(images))]
        return [np.stack(of_map) for of_map in zip(*in_order, strict=True)]

    def _batches(self, frames: Iterable[Letterbox | CenterCrop]) -> Iterator[list[IndexedFrame]]:
        """Yield what runs together: only inputs of one shape, at most `engine.batch_size`.

        Inputs are never padded to a common shape: the border would change what is detected on an
        image, depending on the images that happen to come with it.
        """
        shapes: defaultdict[tuple[int, int], list[IndexedFrame]] = defaultdict(list)
        for index, frame in enumerate(frames):
            shapes[frame.height, frame.width].append((index, frame))
        for same_shape in shapes.values():
            for start in range(0, len(same_shape), self.engine.batch_size):
                yield same_shape[start : start + self.engine.batch_size]


def _stack(frames: Sequence[Pixels]) -> Pixels:
    """Return inputs of one shape as one array (n, height, width, 3), a single one uncopied."""
    if len(frames) > 1:
        return np.stack(frames)
    single: Pixels = np.require(frames[0], requirements=["C", "W"])  # as engines take them
    return single[None]


def _with_length_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)

"""A model of another library as the network of images and videos: its boxes become detections."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from backends.detection.inputs.same_size import run_by_size
from backends.detection.model.detections import Detections, FoundObjects
from backends.detection.model.detector import Thresholds
from backends.detection.model.postprocess import MAX_OBJECTS
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples, examples_error
from backends.detection.open_vocabulary.example_table import ExampleSet, alike_error
from shared.media.image import Image
from shared.results import ImageSize


class BoxFinder(Protocol):
    """A loaded model."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it knows, in the order of their numbers."""

    @property
    def engine(self) -> str:
        """What it runs on, in words."""

    @property
    def batch_size(self) -> int:
        """Images of one size that share a run."""

    def find(self, images: Sequence[Image], min_score: float) -> Sequence[FoundObjects]:
        """Return the objects on images of one size, of at least a score, in pixels."""


@dataclass(frozen=True)
class BoxModel:
    """A finder of boxes and the thresholds of its output.

    Each library merges the boxes of an object by itself, or its networks give each once: `iou`
    only says to which control tags the output belongs.
    """

    finder: BoxFinder
    thresholds: Thresholds = field(default_factory=Thresholds)
    keypoint_names: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that the model knows."""
        return self.finder.class_names

    def describe_engine(self) -> str:
        """Return what it runs on."""
        return self.finder.engine

    def known_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return its classes, which are fixed."""
        return self.class_names

    def with_words(self, words: Sequence[str]) -> "BoxModel":
        """Return the model as it is: it finds its classes, whatever is asked for."""
        return self

    def with_examples(self, examples: DrawnExamples) -> "BoxModel":
        """Raise UnfillableError: it finds its classes and nothing else."""
        raise examples_error("A model of fixed classes")

    def with_annotated(self, examples: ExampleSet) -> "BoxModel":
        """Raise UnfillableError: its classes are fixed."""
        raise alike_error("A model of fixed classes")

    def with_thresholds(self, thresholds: Thresholds) -> "BoxModel":
        """Return the same model with other thresholds."""
        return replace(self, thresholds=thresholds)

    def embed(self, images: Sequence[Image]) -> None:
        """Return None: what its trunk makes of an image is not known here."""
        return

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Return the objects on each image, highest score first."""

        def find(batch: Sequence[Image]) -> list[Detections]:
            found = self.finder.find(batch, self.thresholds.min_score)
            return [self._select(one, image.size) for one, image in zip(found, batch, strict=True)]

        return run_by_size(images, self.finder.batch_size, find)

    def _select(self, objects: FoundObjects, size: ImageSize) -> Detections:
        known = objects.classes < len(self.class_names)
        rows = np.flatnonzero(known & (objects.scores >= self.thresholds.min_score))
        order = np.argsort(-objects.scores[rows], kind="stable")
        rows = rows[order][:MAX_OBJECTS]
        edges = np.array([size.width, size.height] * 2, np.float32)
        return Detections(
            size,
            self.class_names,
            np.clip(objects.boxes[rows], 0, edges).astype(np.float32),
            objects.scores[rows].astype(np.float32),
            objects.classes[rows].astype(np.int64),
            iou_threshold=self.thresholds.iou,
        )

"""A trained temporal network beside the network whose features it takes: labels of frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.detections import Detections
from backends.detection.timeline.frame_features import Features, FrameFeatures
from backends.detection.timeline.weights import TimelineDescription, load_timeline
from shared.media.image import Image
from shared.results import ImageSize
from shared.settings import Settings


@dataclass(frozen=True)
class FrameClassifier:
    """Tells which labels hold on each frame of a video."""

    description: TimelineDescription
    network: Any
    features: FrameFeatures

    @classmethod
    def load(cls, folder: Path, settings: Settings, precision: str) -> "FrameClassifier":
        """Load what a training wrote; ModelError if something of it is missing or has changed."""
        description, network = load_timeline(folder)
        source = description.source
        source.find_weights(settings)
        features = FrameFeatures.load(source.model, source.image_size, settings, precision)
        return cls(description, network, features)

    def open_video(self) -> "VideoClassification":
        """Return what classifies the frames of one video."""
        return VideoClassification(self)

    def classify(self, features: Features) -> NDArray[np.float32]:
        """Return the probability of each label on each frame of a video, (frames, labels)."""
        import torch

        with torch.inference_mode():
            found = self.network(self.network.project(torch.from_numpy(features)))
        return np.asarray(found.numpy(), np.float32)


@dataclass
class VideoClassification:
    """Collects the features of a video's frames, and classifies them when all are there.

    The network gets every `frame_step`-th frame, as when it was trained; what it says of one holds
    up to the next.
    """

    classifier: FrameClassifier
    _numbers: list[int] = field(default_factory=list)
    _features: list[Features] = field(default_factory=list)

    def add_frames(self, numbers: Sequence[int], images: Sequence[Image]) -> None:
        """Compute the features of some frames, which follow those before."""
        step, wanted = self.classifier.description.frame_step, []
        for number, image in zip(numbers, images, strict=True):
            if not self._numbers or number - self._numbers[-1] >= step:
                self._numbers.append(number)
                wanted.append(image)
        if wanted:
            self._features.append(self.classifier.features.extract(wanted))

    def detections(self, numbers: Sequence[int], size: ImageSize) -> list[Detections]:
        """Return for each of these frames, of all that were added, what a classifier tells."""
        found = self.classifier.classify(np.concatenate(self._features))
        rows = np.searchsorted(self._numbers, numbers, side="right") - 1
        nothing, labels = np.zeros(0, np.float32), self.classifier.description.labels
        boxes, classes = nothing.reshape(0, 4), nothing.astype(np.int64)
        return [
            Detections(size, labels, boxes, nothing, classes, probabilities=found[row])
            for row in rows
        ]

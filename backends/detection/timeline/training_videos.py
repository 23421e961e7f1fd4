"""What a temporal network learns from: the features of videos' frames and their labels.

Each video is decoded once, a few frames at a time. Its features lie in a file; what is kept in
memory are a few principal components of them.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from backends.detection.timeline.frame_features import Features, FrameFeatures
from backends.detection.timeline.labelled_frames import LabelledVideo, Labels
from shared.errors import DecodeError
from shared.media.video import VideoFile, VideoLimits

logger = logging.getLogger(__name__)

# Frames that the network of features gets at once, and the upper limit of their decoded size.
CHUNK_FRAMES = 16
CHUNK_BYTES = 64_000_000
# Frames from which the principal components are computed.
SAMPLED_FRAMES = 4096


@dataclass(frozen=True)
class StoredFeatures:
    """The features of a video's frames in a file, float16 (frames, features), and their labels."""

    path: Path
    labels: Labels

    def read(self) -> Any:
        """Return the features, mapped into memory."""
        numbers = np.memmap(self.path, np.float16, mode="r")
        return numbers.reshape(len(self.labels), -1)


@dataclass(frozen=True)
class FeatureReader:
    """Computes the features of videos into a folder."""

    features: FrameFeatures
    folder: Path
    limits: VideoLimits
    frame_step: int

    def read_all(
        self, videos: Iterable[LabelledVideo], control: str, labels: Sequence[str]
    ) -> list[StoredFeatures]:
        """Return the features and labels of videos; one that cannot be read is logged, left out."""
        found = []
        for video in videos:
            path = self.folder / f"{uuid4().hex}.f16"
            try:
                file = video.open(self.limits)
                times = self._write(file, path)
                found.append(StoredFeatures(path, video.labels_at(file, times, control, labels)))
            except DecodeError as error:
                logger.warning("%s: the video is left out of the training: %s", video.task, error)
        return found

    def _write(self, file: VideoFile, path: Path) -> list[float]:
        """Write the features of a video, and return the times of the frames they are of."""
        times: list[float] = []
        with path.open("wb") as out:
            for features in self._extract(file, times):
                out.write(features.astype(np.float16).tobytes())
        if not times:
            raise DecodeError("The video has no readable frame")
        return times

    def _extract(self, file: VideoFile, times: list[float]) -> Iterator[Features]:
        """Yield the features of every `frame_step`-th frame; append the times of these."""
        frame_bytes = file.size.width * file.size.height * 3
        size = max(1, min(CHUNK_FRAMES, CHUNK_BYTES // frame_bytes))
        with closing(file.frames()) as frames:
            sampled = (frame for frame in frames if frame.index % self.frame_step == 0)
            while chunk := list(islice(sampled, size)):
                times += [frame.time for frame in chunk]
                yield self.features.extract([frame.decode() for frame in chunk])


def sample_frames(videos: Sequence[StoredFeatures], lag: int) -> tuple[Features, Features]:
    """Return the features of some frames, spread evenly over all videos, and their changes.

    These are the differences from the frame that is `lag` before, or the first one.
    """
    total = sum(len(video.labels) for video in videos)
    step = max(total // SAMPLED_FRAMES, 1)
    found, before = [], []
    for video in videos:
        features, places = video.read(), np.arange(0, len(video.labels), step)
        found.append(np.asarray(features[places], np.float32))
        before.append(np.asarray(features[np.maximum(places - lag, 0)], np.float32))
    sample = np.concatenate(found)
    return sample, sample - np.concatenate(before)

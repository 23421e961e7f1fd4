"""Videos: each frame is decoded once, and each network runs on it once."""

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from backends.detection.inputs.camera_motion import GrayImage, MotionEstimates, shrink_to_gray
from backends.detection.inputs.image_list import ImageNetwork
from backends.detection.model.detections import Detections
from backends.detection.timeline.frame_classifier import FrameClassifier
from shared.backend.claim import Claim, ModelSpec
from shared.errors import DecodeError
from shared.media.image import Image
from shared.media.video import VideoFile
from shared.results import Video

logger = logging.getLogger(__name__)

# Frames that a network gets at once, while the next ones are decoded.
CHUNK_FRAMES = 16
# Upper limit of their decoded size: chunks have fewer frames where frames are large.
CHUNK_BYTES = 64_000_000
# Videos whose detections are kept. A request that passes its deadline is usually sent again, and
# waits in the queue behind its own first try: it must find that result, not start over.
KEPT_VIDEOS = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VideoInput:
    """A video, and how Label Studio's editor counts its frames."""

    file: VideoFile
    video: Video

    @property
    def parts(self) -> tuple["VideoInput"]:
        """The video itself: tracks need all of its frames, in order."""
        return (self,)


@dataclass(frozen=True, eq=False)
class VideoDetections:
    """What networks detected on m sampled frames of a video of n frames.

    `frame_times` (n,) are seconds from the first frame; `sampled_frames` (m,) frame numbers from
    0. `by_network` has m detections of each network, without masks and keypoints. `camera_motion`
    (m, 2, 3) maps pixels of the sampled frame before to this one; None if no tag needs it.
    """

    frame_times: Floats
    sampled_frames: NDArray[np.int64]
    by_network: Mapping[ModelSpec, Sequence[Detections]]
    camera_motion: Floats | None = None

    @property
    def fps(self) -> float:
        """Average frames per second; 0 for a video of one frame."""
        seconds = float(self.frame_times[-1] - self.frame_times[0])
        return (len(self.frame_times) - 1) / seconds if seconds else 0.0


@dataclass(frozen=True, eq=False)
class AlignedDetections:
    """The detections of a video, and how the editor counts its frames."""

    detections: VideoDetections
    video: Video

    def file_frames(self) -> NDArray[np.int64]:
        """Return for each frame of the editor the number of the file's frame, or -1."""
        return self.video.file_frames(self.detections.frame_times.tolist())


class _SampledFrame(NamedTuple):
    """A frame for the networks, and for the estimate of the camera's motion if that is needed."""

    number: int
    image: Image
    gray: GrayImage | None


@dataclass
class VideoDetector:
    """Networks that run on every `frame_step`-th frame of a video, one video at a time."""

    networks: Mapping[ModelSpec, ImageNetwork]
    frame_step: int
    estimates_motion: bool
    classifiers: Mapping[ModelSpec, FrameClassifier] = field(default_factory=dict)
    _recent: "LRUCache[str, VideoDetections]" = field(
        default_factory=lambda: LRUCache(KEPT_VIDEOS), init=False
    )

    def describe_engine(self) -> str:
        """Return what the networks run on, and why on nothing faster."""
        networks = [*self.networks.values()]
        networks += [one.features.detector for one in self.classifiers.values()]
        return ", ".join(dict.fromkeys(one.describe_engine() for one in networks))

    def count_known_labels(self, claim: Claim) -> int:
        """Return 0: no other backend fills videos, so nobody contests the claim."""
        return 0

    def infer(self, videos: Sequence[VideoInput]) -> list[AlignedDetections]:
        """Detect on each video."""
        return [self.detect(video) for video in videos]

    def detect(self, video: VideoInput) -> AlignedDetections:
        """Run the networks on a video, unless it is one of the last few that they ran on."""
        digest = video.file.digest
        detections = self._recent.get(digest)
        if detections is None:
            detections = self._recent[digest] = self._detect_frames(video.file)
        return AlignedDetections(detections, video.video)

    def embed(self, videos: Sequence[VideoInput]) -> NDArray[np.float32] | None:
        """Return a vector of each video's first frame, by the first network."""
        networks = [*self.networks.values()]
        networks += [one.features.detector for one in self.classifiers.values()]
        return networks[0].embed([_first_frame(video.file) for video in videos])

    def _detect_frames(self, file: VideoFile) -> VideoDetections:
        start = time.monotonic()
        frame_times: list[float] = []
        sampled: list[int] = []
        by_network: dict[ModelSpec, list[Detections]] = {spec: [] for spec in self.networks}
        classified = {spec: one.open_video() for spec, one in self.classifiers.items()}
        with (
            ThreadPoolExecutor(1, "motion") as pool,
            closing(self._read_chunks(file, frame_times)) as chunks,
        ):
            motion = MotionEstimates(pool)
            for chunk in chunks:
                sampled += [frame.number for frame in chunk]
                images = [frame.image for frame in chunk]
                for spec, network in self.networks.items():
                    by_network[spec] += map(_without_unused_arrays, network.detect(images))
                for video in classified.values():
                    video.add_frames(sampled[-len(chunk) :], images)
                recent = [detections[-len(chunk) :] for detections in by_network.values()]
                motion.add_frames(
                    (frame.gray, [detections[place].boxes for detections in recent])
                    for place, frame in enumerate(chunk)
                    if frame.gray is not None
                )
            camera_motion = motion.wait_for_all()
        if not sampled:
            raise DecodeError("The video has no readable frame")
        for spec, video in classified.items():
            by_network[spec] = video.detections(sampled, file.size)
        seconds = time.monotonic() - start
        logger.info("Task %s: detected on %d frames in %.1f s", file.task, len(sampled), seconds)
        return VideoDetections(
            np.array(frame_times), np.array(sampled, np.int64), by_network, camera_motion
        )

    def _read_chunks(
        self, file: VideoFile, frame_times: list[float]
    ) -> Generator[list[_SampledFrame], None, None]:
        """Yield the sampled frames in chunks; the next is decoded while one is worked on."""
        frame_bytes = file.size.width * file.size.height * 3
        size = max(1, min(CHUNK_FRAMES, CHUNK_BYTES // frame_bytes))
        with (
            # The pool ends first: a generator cannot be closed while a thread runs it.
            closing(self._sample_frames(file, frame_times)) as frames,
            ThreadPoolExecutor(1, "decode") as pool,
        ):
            following = pool.submit(lambda: list(islice(frames, size)))
            while chunk := following.result():
                following = pool.submit(lambda: list(islice(frames, size)))
                yield chunk

    def _sample_frames(
        self, file: VideoFile, frame_times: list[float]
    ) -> Generator[_SampledFrame, None, None]:
        """Yield every `frame_step`-th frame; append the time of each frame to `frame_times`."""
        with closing(file.frames()) as frames:
            for frame in frames:
                frame_times.append(frame.time)
                if frame.index % self.frame_step == 0:
                    image = frame.decode()
                    gray = shrink_to_gray(image) if self.estimates_motion else None
                    yield _SampledFrame(frame.index, image, gray)


def _first_frame(file: VideoFile) -> Image:
    """Return the first frame; DecodeError if none can be read."""
    with closing(file.frames()) as frames:
        for frame in frames:
            return frame.decode()
    raise DecodeError("The video has no readable frame")


def _without_unused_arrays(detections: Detections) -> Detections:
    """Drop what is large and what no control tag on videos draws."""
    return replace(detections, masks=None, keypoints=None, oriented_boxes=None)


def is_video_model(spec: ModelSpec) -> bool:
    """Return whether a model runs on videos: its spec then lists its networks."""
    return "networks" in dict(spec.options)


def networks_of(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """Return the networks that a model consists of: those for a video, or just itself."""
    if not is_video_model(spec):
        return (spec,)
    networks: tuple[tuple[str, Any, str], ...] = dict(spec.options)["networks"]
    return tuple(ModelSpec(spec.backend, *network) for network in networks)

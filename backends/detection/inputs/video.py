"""Networks over the frames of a video: each frame is decoded once, and seen once by each."""

import logging
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.detection.inputs.camera_motion import Motion, small
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector
from shared.backend.claim import ModelSpec
from shared.errors import DecodeError
from shared.media.image import Image
from shared.media.video import VideoFile
from shared.results import Video

logger = logging.getLogger(__name__)

# Frames that a network gets at once, while the next ones are decoded.
CHUNK = 16
# The same in bytes, where frames are large.
CHUNK_BYTES = 64_000_000
# Videos whose findings are remembered: who asks again while one is watched finds it done.
KEEP = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VideoInput:
    """A video, and how Label Studio's editor counts its frames."""

    video: VideoFile
    shown: Video


@dataclass(frozen=True, eq=False)
class VideoDetections:
    """What networks found in a video of n frames, of which they looked at m.

    `times` of shape (n,), in seconds from the first; `looked` (m,) are numbers of frames from 0;
    `found` has the m findings of each network, boxes and probabilities only. `motion` (m, 2, 3)
    is what the camera did from one looked at to the next, in pixels; None if nobody asked.
    """

    times: Floats
    looked: NDArray[np.int64]
    found: Mapping[ModelSpec, Sequence[Detections]]
    motion: Floats | None = None

    @property
    def fps(self) -> float:
        """Frames per second, on average; 0 if there is but one frame."""
        seconds = float(self.times[-1] - self.times[0])
        return (len(self.times) - 1) / seconds if seconds else 0.0


@dataclass(frozen=True, eq=False)
class AlignedDetections:
    """What was seen in a video, and how the editor counts its frames."""

    seen: VideoDetections
    shown: Video

    def frames(self) -> NDArray[np.int64]:
        """For each of the editor's frames, from 0, the number of the video's frame, or -1."""
        return self.shown.file_frames(self.seen.times.tolist())


class _SampledFrame(NamedTuple):
    """A frame that is looked at; and how it is compared with the one before, if it is."""

    number: int
    image: Image
    small: tuple[Any, float] | None


@dataclass
class VideoDetector:
    """Networks that watch videos, one video at a time. `step`: every so many frames."""

    networks: Mapping[ModelSpec, Detector]
    step: int
    motion: bool
    _seen: OrderedDict[str, VideoDetections] = field(default_factory=OrderedDict)

    def watch(self, footage: VideoInput) -> AlignedDetections:
        """What the networks find; at once, if the same video was watched just now.

        A deadline does not stop what has begun: the request after it waits in the queue for the
        rest, and must not begin again.
        """
        digest = footage.video.digest
        seen = self._seen.pop(digest, None) or self._watch(footage.video)
        self._seen[digest] = seen
        while len(self._seen) > KEEP:
            self._seen.popitem(last=False)
        return AlignedDetections(seen, footage.shown)

    def _watch(self, video: VideoFile) -> VideoDetections:
        start = time.monotonic()
        times: list[float] = []
        looked: list[int] = []
        found: dict[ModelSpec, list[Detections]] = {spec: [] for spec in self.networks}
        camera = Motion()
        motion: list[Floats] = []
        moved: list[Future[Floats]] = []
        with (
            ThreadPoolExecutor(1, "motion") as pool,
            closing(self._chunks(video, times)) as chunks,
        ):
            for chunk in chunks:
                looked += [look.number for look in chunk]
                for spec, network in self.networks.items():
                    found[spec] += map(_compact, network.detect([look.image for look in chunk]))
                motion += [one.result() for one in moved]  # so that not many are waiting
                moved = [
                    pool.submit(
                        camera.moved,
                        *look.small,
                        [founds[place].boxes for founds in found.values()],
                    )
                    for place, look in enumerate(chunk, len(looked) - len(chunk))
                    if look.small is not None
                ]
            motion += [one.result() for one in moved]
        if not looked:
            raise DecodeError("The video has no frame that can be read")
        seconds = time.monotonic() - start
        logger.info("Task %s: watched %d frames in %.1f s", video.task, len(looked), seconds)
        stacked = np.stack(motion) if motion else None
        return VideoDetections(np.array(times), np.array(looked, np.int64), found, stacked)

    def _chunks(
        self, video: VideoFile, times: list[float]
    ) -> Generator[list[_SampledFrame], None, None]:
        """The frames to look at; the next ones are decoded while these are looked at."""
        size = max(1, min(CHUNK, CHUNK_BYTES // (video.size.width * video.size.height * 3)))
        with (
            closing(self._looks(video, times)) as looks,  # when the pool is done with it
            ThreadPoolExecutor(1, "decode") as pool,
        ):
            following = pool.submit(lambda: list(islice(looks, size)))
            while chunk := following.result():
                following = pool.submit(lambda: list(islice(looks, size)))
                yield chunk

    def _looks(self, video: VideoFile, times: list[float]) -> Generator[_SampledFrame, None, None]:
        with closing(video.frames()) as frames:
            for frame in frames:
                times.append(frame.time)
                if frame.index % self.step == 0:
                    image = frame.decode()
                    yield _SampledFrame(frame.index, image, small(image) if self.motion else None)


def _compact(found: Detections) -> Detections:
    """Without what is large and no control tag on videos draws."""
    return replace(found, masks=None, points=None, turned=None)


def networks_of(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """The networks of which a model for videos is made; none of any other model."""
    made: tuple[tuple[str, Any], ...] = dict(spec.options).get("networks", ())
    return tuple(ModelSpec(spec.backend, model, options) for model, options in made)

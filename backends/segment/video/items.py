"""What a model gets of a video, and what it returns."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from backends.segment.video.drawn_tracks import DrawnTracks
from backends.segment.video.following import Way
from backends.segment.video.mask_png import encode_mask
from backends.segment.video.object_tracker import FoundObject
from backends.segment.video.track_regions import FollowedTrack
from backends.segment.video.track_sessions import TrackSession
from shared.errors import DecodeError
from shared.media.image import Image
from shared.media.video import Frame, VideoFile
from shared.results import ImageSize, Video


@dataclass(frozen=True, eq=False)
class TrackItem:
    """A video, and which objects to follow; at `until`, by the monotonic clock, it ends."""

    file: VideoFile
    video: Video
    drawn: DrawnTracks
    until: float = float("inf")

    def cache_key(self) -> Hashable | None:
        """Return None: how far it goes depends on the time that is left."""
        return None


@dataclass(frozen=True, eq=False)
class TrackOutput:
    """The objects that were followed."""

    item: TrackItem
    tracks: Sequence[FollowedTrack]


@dataclass(frozen=True, eq=False)
class SessionItem:
    """An object that is followed frame by frame, into the track that the editor asks for."""

    file: VideoFile
    ways: Sequence[Way]
    session: TrackSession


@dataclass(frozen=True, eq=False)
class EmbedItem:
    """Frames of a video, by their numbers from 0, that are embedded ahead."""

    file: VideoFile
    numbers: Sequence[int]


def frame_digest(file: VideoFile, number: int) -> str:
    """Return what identifies a frame, as the digest of an image does."""
    return f"{file.digest}-{number}"


def read_frame(file: VideoFile, number: int) -> Image:
    """Return a frame by its number from 0; DecodeError if there is none that can be read."""
    with closing(file.frames_from(number / file.fps)) as frames:
        for frame in frames:
            return replace(frame.decode(), digest=frame_digest(file, number))
    raise DecodeError(f"The video has no readable frame {number + 1}")


def describe_frame(frame: Frame, found: FoundObject, size: ImageSize) -> Mapping[str, Any]:
    """Return an object's mask on a frame as `track_progress` answers it."""
    mask = encode_mask(found.full_mask(size))
    return {"frame": frame.index, "time_ms": round(frame.time * 1000, 3), **mask}

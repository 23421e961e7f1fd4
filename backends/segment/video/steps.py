"""The steps of the backend for videos: from what is drawn on a frame to tracks."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from backends.segment.video.drawn_tracks import read_drawn_tracks
from backends.segment.video.items import TrackItem, TrackOutput
from backends.segment.video.track_regions import build_track_region
from shared.backend import Backend, Claim, Context, Task
from shared.backend.progress import is_job
from shared.results import UNFINISHED, Omission, Region, Video

# The part of PREDICT_DEADLINE for which objects are followed at most: the rest is for reading.
TIME_SHARE = 0.7


@dataclass(frozen=True)
class VideoTracking:
    """The steps of `backend` for `Video` tags."""

    backend: Backend

    def read(self, task: Task, claim: Claim, context: Context | None) -> TrackItem | None:
        """Open the video and read what is drawn on it; None: nothing is asked.

        Its frames are decoded later.
        """
        if context is None:
            return None
        file = self.backend.media.read_video(task.text_value(claim.object), task.id)
        video = Video.of_file(file, claim.object, task)
        drawn = read_drawn_tracks(context, self.backend.config, claim.object, video)
        return TrackItem(file, video, drawn, self._until())

    def _until(self) -> float:
        """Return when a request has to end, by the monotonic clock; a job goes on."""
        if is_job():
            return float("inf")
        most = TIME_SHARE * self.backend.server_settings.predict_deadline
        seconds: float = min(self.backend.settings.track_seconds, most)
        return time.monotonic() + seconds

    def regions(self, output: TrackOutput, claim: Claim) -> Iterable[Region | Omission]:
        """Return the drawn regions with the key frames that were found."""
        item = output.item
        yield from item.drawn.omissions
        for track in output.tracks:
            if claim.control == track.drawn.control:
                yield build_track_region(track, item.video)
                if not track.is_finished:
                    yield Omission(
                        UNFINISHED,
                        f'Region "{track.drawn.region.id}" is not followed to its end: the request'
                        " had no more time. Select its label again to go on, or set"
                        " PREDICT_IN_BACKGROUND",
                    )

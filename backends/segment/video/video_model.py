"""A loaded model that follows objects through videos."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from backends._transformers import hub
from backends.segment.models.loader import is_weights_file, model_reference
from backends.segment.models.promptable_model import PromptableModel
from backends.segment.prompts import ObjectPrompt
from backends.segment.segmenter import Segmenter, SegmentItem
from backends.segment.video.drawn_tracks import DrawnTrack, FrameRange
from backends.segment.video.following import (
    FollowedObject,
    FollowedWay,
    OnFrame,
    Way,
    follow_way,
)
from backends.segment.video.items import (
    EmbedItem,
    SessionItem,
    TrackItem,
    TrackOutput,
    describe_frame,
    frame_digest,
)
from backends.segment.video.memory_tracker import MemoryNetwork, MemoryTracker
from backends.segment.video.object_tracker import FoundObject, ObjectTracker
from backends.segment.video.prompted_tracker import PromptedTracker
from backends.segment.video.track_regions import FollowedTrack
from shared.backend import ModelSpec
from shared.backend.progress import report_progress
from shared.media.image import Image
from shared.media.video import Frame
from shared.settings import Settings


@dataclass(frozen=True)
class VideoModel:
    """Follows objects; `segmenter` answers what is drawn on a single frame.

    A `memory` network follows objects by itself; without one, the segmenter's model does.
    """

    segmenter: Segmenter
    memory: MemoryNetwork | None = None

    @classmethod
    def load(cls, segmenter: Segmenter, spec: ModelSpec, settings: Settings) -> "VideoModel":
        """Load what follows objects, if the model of a spec has it."""
        if is_weights_file(spec.model):
            return cls(segmenter)
        folder = hub.find_folder(model_reference(spec), settings)
        return cls(segmenter, MemoryNetwork.load(folder, spec.model, settings))

    @property
    def model(self) -> PromptableModel:
        """The network."""
        return self.segmenter.model

    def run(self, item: Any) -> Any:
        """Return what an item asks for: see `items`."""
        if isinstance(item, TrackItem):
            return self.follow(item)
        if isinstance(item, SessionItem):
            return self.follow_session(item)
        if isinstance(item, EmbedItem):
            return self.embed(item)
        return self.segmenter.run(item)

    def new_tracker(self) -> ObjectTracker:
        """Return a tracker for objects that begin on the same frame."""
        if self.memory is not None:
            return MemoryTracker(self.memory)
        return PromptedTracker(self.model)

    def follow(self, item: TrackItem) -> TrackOutput:
        """Follow the objects of an item: those that begin on the same frame together."""
        found: dict[DrawnTrack, list[tuple[FollowedWay, FollowedObject]]] = {}
        ways = list(plan_ways(item))
        for number, (way, tracks) in enumerate(ways):
            report = _reporter(way, number, len(ways))
            followed = follow_way(item.file, self.new_tracker(), way, report, item.until)
            for drawn, one in zip(tracks, followed.objects, strict=True):
                found.setdefault(drawn, []).append((followed, one))
        return TrackOutput(item, [FollowedTrack(drawn, ways) for drawn, ways in found.items()])

    def follow_session(self, item: SessionItem) -> None:
        """Write an object's mask on each frame into the track that the editor asks for."""
        written: set[int] = set()

        def write(frame: Frame, found: Sequence[FoundObject | None]) -> None:
            item.session.check()
            if found[0] is not None and frame.index not in written:  # the first is on both ways
                item.session.add(describe_frame(frame, found[0], item.file.size))
            if not written:
                written.add(frame.index)

        for way in item.ways:
            follow_way(item.file, self.new_tracker(), way, write)

    def embed(self, item: EmbedItem) -> None:
        """Embed frames, so that the first click on them is quick."""
        wanted = set(item.numbers)
        start = min(wanted) / item.file.fps
        with closing(item.file.frames_from(start)) as frames:
            for frame in frames:
                if frame.index > max(wanted):
                    return
                if frame.index in wanted:
                    digest = frame_digest(item.file, frame.index)
                    image = replace(frame.decode(), digest=digest)
                    self.segmenter.run(SegmentItem(digest, image, partial(_same, image)))


def plan_ways(item: TrackItem) -> Iterator[tuple[Way, Sequence[DrawnTrack]]]:
    """Yield the ways through a video, each with the tracks that are followed on it."""

    def way_of(track: DrawnTrack) -> tuple[FrameRange, int]:
        return track.frames, track.options.frame_step

    for (frames, step), group in groupby(sorted(item.drawn.tracks, key=way_of), key=way_of):
        tracks = list(group)
        prompts = [ObjectPrompt(box=one.box) for one in tracks]
        start, first, last = (frame / item.video.fps for frame in frames)
        if first < start:
            yield Way(start, first, prompts, step, is_backwards=True), tracks
        if last > start or first == start:
            yield Way(start, last, prompts, step), tracks


def _reporter(way: Way, number: int, count: int) -> OnFrame:
    """Return what says, after each frame of a way, how far all ways are."""

    def report(frame: Frame, found: Sequence[FoundObject | None]) -> None:
        length = abs(way.end - way.start)
        part = abs(frame.time - way.start) / length if length else 1.0
        report_progress((number + min(part, 1.0)) / count)

    return report


def _same(image: Image) -> Image:
    return image

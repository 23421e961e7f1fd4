"""The events of the editor, as the official example segment_anything_video_interactive has them.

An answer is one result, whose `type` and `value` say what became of the event.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from backends.segment.drawn_objects import DrawnImage, DrawnObject
from backends.segment.embedding_cache import EmbeddingKey
from backends.segment.kept_images import kept_images
from backends.segment.segmenter import SegmentItem
from backends.segment.tag_choice import base_tag
from backends.segment.video import event_prompts
from backends.segment.video.items import EmbedItem, SessionItem, frame_digest, read_frame
from backends.segment.video.mask_png import encode_mask
from backends.segment.video.opened_videos import opened_videos
from backends.segment.video.session_ways import plan_session
from backends.segment.video.track_sessions import (
    FOLDER,
    TrackCancelledError,
    TrackProgress,
    TrackSession,
    TrackSessions,
)
from shared.backend import Backend, Claim
from shared.backend.editor_event import EditorEvent
from shared.errors import PrelabelError, TaskError
from shared.media.video import VideoFile
from shared.results import Result

# Frames around the one that is seen that are embedded ahead: by default, and at most.
WINDOW_FRAMES = 20
# How long `track_progress` waits for a frame, and then for more of them; and how many it returns.
WAIT_SECONDS, GATHER_SECONDS, POLL_SECONDS = 5.0, 0.25, 0.05
MAX_FRAMES = 32
# What the tags get, in the protocol's words.
OUTPUTS = {
    "Brush": "mask",
    "Bitmask": "mask",
    "Rectangle": "bbox",
    "Polygon": "polygon",
    "VideoRectangle": "bbox",
}
Value = Mapping[str, Any]


@dataclass(frozen=True)
class SegmentEvents:
    """Answers the events for `backend`."""

    backend: Backend

    def answer(self, event: EditorEvent) -> Sequence[Result] | None:
        """Return the answer; None where the regions drawn on an image are to be segmented."""
        handlers: dict[str, Callable[[EditorEvent, Claim], Sequence[Result] | None]] = {
            "capabilities": self._capabilities,
            "prewarm": self._prewarm,
            "predict": self._predict,
            "track": self._track,
            "track_progress": self._track_progress,
            "track_cancel": self._track_cancel,
            "release": self._release,
        }
        handler = handlers.get(event.name)
        if handler is None:
            raise TaskError(
                f"context.event should be one of {', '.join(handlers)}, found {event.name!r}"[:300]
            )
        on_video = (claim for claim in event.claims if claim.object.tag == "Video")
        return handler(event, next(on_video, event.claims[0]))

    @property
    def _sessions(self) -> TrackSessions:
        return TrackSessions(self.backend.server_settings.cache_dir / FOLDER)

    def _open(self, event: EditorEvent, claim: Claim) -> VideoFile:
        videos, task = opened_videos(self.backend._resources), event.task
        return videos.open(self.backend.media, task.text_value(claim.object), task.id)

    def _capabilities(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        tags = {one.control.tag: base_tag(one.control) for one in event.claims}
        targets = [
            {"tag": tag, "output": OUTPUTS[base]}
            | ({"features": ["track"]} if tag == "VideoRectangle" else {})
            for tag, base in tags.items()
            if base in OUTPUTS
        ]
        model = {"name": self.backend.name, "version": claim.spec.model}
        value = {"prompts": ["point", "box"], "targets": targets, "model_info": model}
        return _reply(claim, "capabilities", value)

    def _prewarm(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        acknowledge = partial(_reply, claim, "prewarm_ack")
        if claim.object.tag != "Video":
            return acknowledge({"status": "ok", "cached": [0], "pending": []})
        try:
            file = self._open(event, claim)
            numbers = _window(event.context, file)
        except PrelabelError as error:
            return acknowledge({"status": "error", "error": str(error)})
        embeddings = kept_images(self.backend._resources, self.backend.settings).embeddings
        weights = self.backend.weights_hash(claim.spec)
        keys = {number: EmbeddingKey(weights, frame_digest(file, number)) for number in numbers}
        pending = [number for number, key in keys.items() if key not in embeddings]
        if pending:
            event.models.start(claim, EmbedItem(file, tuple(pending)))
        cached = [number for number in numbers if number not in pending]
        value = {"cached": cached, "pending": pending, "frame_count": file.count}
        return acknowledge({"status": "ok", **value})

    def _predict(self, event: EditorEvent, claim: Claim) -> Sequence[Result] | None:
        if claim.object.tag != "Video":
            return None
        if _has_tracks(event.context):  # the open-source editor's way to ask
            return None
        file = self._open(event, claim)
        prompt = event_prompts.read_prompt(event.context, file.size)
        if prompt is None:
            return []
        seconds = event_prompts.read_seconds(event.context, file)
        number = event_prompts.frame_number(seconds, file)
        drawn = DrawnImage((DrawnObject("", prompt, "event"),), file.size)
        digest, read = frame_digest(file, number), partial(read_frame, file, number)
        running = event.models.start(claim, SegmentItem(digest, None, read, drawn))
        [found] = event.models.wait_for(running)
        if not found.objects:
            return []
        mask = found.objects[0].full_mask(file.size)
        return _reply(claim, "bitmask", encode_mask(mask))

    def _track(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        try:
            return self._start_track(event, claim)
        except PrelabelError as error:
            return _reply(claim, "track_error", {"error": str(error), "done": True})

    def _start_track(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        if claim.object.tag != "Video":
            raise TaskError(f"{claim.object} shows no video: nothing can be followed there")
        most, running = self.backend.settings.tracks_at_once, len(self._sessions.running())
        if running >= most:
            counts = {"active_or_queued": running, "resident_sessions": running}
            value = {"error": "tracking capacity exhausted", **counts, "max_sessions": most}
            return _reply(claim, "track_busy", value)
        file = self._open(event, claim)
        prompt = event_prompts.read_prompt(event.context, file.size)
        if prompt is None:
            raise TaskError("Nothing says where the object is: send a click on it, or a box")
        plan = plan_session(event.context, file, prompt)
        session = self._sessions.create(event.task.id, plan.total)
        running_item = event.models.start(claim, SessionItem(file, plan.ways, session))
        running_item.add_done_callback(partial(_end, session))
        started = {"session_id": session.id, "total_frames": plan.total, "fps": file.fps}
        return _reply(claim, "track_started", {**started, "duration_ms": file.duration * 1000})

    def _track_progress(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        session = self._sessions.find(event.context.get("session_id"), event.task.id)
        gone = {"error": "session not found", "done": True}
        if session is None:
            return _reply(claim, "track_progress", gone)
        try:
            total = session.details["total"]
            progress = _wait_for_frames(session, event)
        except FileNotFoundError:  # cancelled meanwhile, or all of it has been handed out
            return _reply(claim, "track_progress", gone)
        if progress.done:
            self._sessions.remove(session)
        return _reply(claim, "track_progress", {**progress._asdict(), "total": total})

    def _track_cancel(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        session = self._sessions.find(event.context.get("session_id"), event.task.id)
        if session is not None:
            session.cancel()
            self._sessions.remove(session)
        status = "not_found" if session is None else "cancelled"
        return _reply(claim, "track_cancel_ack", {"status": status})

    def _release(self, event: EditorEvent, claim: Claim) -> Sequence[Result]:
        task_id = event.task.id
        self._sessions.cancel_all(task_id)
        opened_videos(self.backend._resources).release(task_id)
        return _reply(claim, "release_ack", {"status": "released"})


def _wait_for_frames(session: TrackSession, event: EditorEvent) -> TrackProgress:
    """Return the next frames, when there are some: those that follow soon come with them."""
    progress, waited = session.take(MAX_FRAMES), 0.0
    while not progress.frames and not progress.done and waited < WAIT_SECONDS:
        event.models.pause(POLL_SECONDS)
        waited += POLL_SECONDS
        progress = session.take(MAX_FRAMES)
    first = progress.frames
    if not first or progress.done or len(first) >= MAX_FRAMES:
        return progress
    event.models.pause(GATHER_SECONDS)
    more = session.take(MAX_FRAMES - len(first))
    return more._replace(frames=[*first, *more.frames])


def _end(session: TrackSession, running: "Future[Any]") -> None:
    """Write how the following of an object has ended."""
    if running.cancelled():
        session.end("The server stopped before the object was followed: ask for it again")
        return
    error = running.exception()
    if isinstance(error, TrackCancelledError):
        session.cancel()
    elif error is None or isinstance(error, PrelabelError):
        session.end(None if error is None else str(error))
    else:
        session.end(f"segment failed on this video: {type(error).__name__}")


def _window(context: Mapping[str, Any], file: VideoFile) -> list[int]:
    """Return the numbers from 0 of the frames around the one that the user sees, and of it."""
    direction = event_prompts.read_direction(context, ("forward", "backward"))
    size = event_prompts.read_number(context, "window", WINDOW_FRAMES)
    if size < 0:
        raise TaskError("context.window should not be negative")
    here = event_prompts.frame_number(event_prompts.read_seconds(context, file), file)
    length = min(int(size), WINDOW_FRAMES)
    first, last = (here - length, here) if direction == "backward" else (here, here + length)
    return list(range(max(first, 0), min(last, file.count - 1) + 1))


def _has_tracks(context: Mapping[str, Any]) -> bool:
    """Whether regions of a video are drawn, and not clicks or boxes on a frame."""
    drawn = context.get("result")
    return isinstance(drawn, list) and any(
        isinstance(one, Mapping) and one.get("type") == "videorectangle" for one in drawn
    )


def _reply(claim: Claim, kind: str, value: Value) -> Sequence[Result]:
    names = {"from_name": claim.control.name, "to_name": claim.control.to_name}
    told = {"id": secrets.token_hex(4), "type": kind, "origin": "manual", "value": dict(value)}
    return [told if kind == "capabilities" else {**told, **names}]

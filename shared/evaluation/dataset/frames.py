"""Frames of videos as pictures, with the boxes that the editor shows on them."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from shared.media.image import Image
from shared.media.video import VideoFile
from shared.results import Rectangle, Video, VideoBox


def editor_video(file: VideoFile, frame_rate: float) -> Video:
    """Return a video file as the editor counts it, at the Video tag's frame rate."""
    frames = max(int(file.duration * frame_rate + 0.5), 1)
    file.limits.check(file.size, frames)
    return Video(file.size, frames, frame_rate, file.duration)


def read_frames(file: VideoFile, frame_rate: float, step: int) -> Iterator[tuple[int, Image]]:
    """Yield every `step`-th of the editor's frames, from 0, with its number."""
    video = editor_video(file, frame_rate)
    with closing(file.frames()) as frames:
        times = [frame.time for frame in frames]
    shown = video.file_frames(times)
    wanted: dict[int, list[int]] = {}
    for number in range(0, video.frames, step):
        if shown[number] >= 0:
            wanted.setdefault(int(shown[number]), []).append(number)
    with closing(file.frames()) as frames:
        for frame in frames:
            # A frame that the editor shows several times is one picture.
            if frame.index in wanted:
                yield wanted[frame.index][0], frame.decode()


def box_at(boxes: Sequence[VideoBox], frame: int) -> Rectangle | None:
    """Return a track's box at a frame, from 0; None where the editor shows none.

    As the editor does it (regions/VideoRectangleRegion.jsx): nothing before the first key frame,
    between two the box moves evenly, after the last it stays. After a key frame that is not
    `enabled` nothing is shown until the next one.
    """
    ordered = sorted(boxes, key=lambda box: box.frame)
    before = [box for box in ordered if box.frame <= frame]
    if not before:
        return None
    last = before[-1]
    if last.frame == frame:
        return last.box
    if not last.enabled:
        return None
    if len(before) == len(ordered):
        return last.box
    return _interpolate(last, ordered[len(before)], frame)


def _interpolate(first: VideoBox, second: VideoBox, frame: int) -> Rectangle:
    part = (frame - first.frame) / (second.frame - first.frame)
    # The shorter way round, as the editor turns boxes.
    turn = (second.box.rotation - first.box.rotation + 180) % 360 - 180
    return Rectangle(
        first.box.x + (second.box.x - first.box.x) * part,
        first.box.y + (second.box.y - first.box.y) * part,
        first.box.width + (second.box.width - first.box.width) * part,
        first.box.height + (second.box.height - first.box.height) * part,
        first.box.rotation + turn * part,
    )

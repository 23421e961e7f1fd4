"""The frames of a video from one on, in the order of time or against it.

Frames are decoded while they are asked for: a few of them are held, however long the video is.
"""

from collections.abc import Generator, Iterator
from contextlib import closing

from shared.media.video import Frame, VideoFile

# Decoded frames that are held to turn their order: so many, and of so many bytes in all.
MAX_HELD_FRAMES, MAX_HELD_BYTES = 128, 64_000_000


def read_frames(file: VideoFile, seconds: float, backwards: bool) -> Generator[Frame, None, None]:
    """Yield the frame that is shown at a time, then the later ones or the earlier ones."""
    if not backwards:
        yield from file.frames_from(seconds)
        return
    step = _held_frames(file) / file.fps
    first, end = max(0.0, seconds - step), float("inf")
    while True:
        held = [frame for frame in _until(file, first, seconds) if frame.time < end]
        yield from reversed(held)
        if held:
            end = held[0].time
        if first <= 0:
            return
        seconds, first = first, max(0.0, first - step)


def _held_frames(file: VideoFile) -> int:
    frame_bytes = file.size.width * file.size.height * 3
    return max(1, min(MAX_HELD_FRAMES, MAX_HELD_BYTES // frame_bytes))


def _until(file: VideoFile, first: float, last: float) -> Iterator[Frame]:
    """Yield the frames that are shown from one time to another, both included."""
    with closing(file.frames_from(first)) as frames:
        for place, frame in enumerate(frames):
            if place and frame.time > last + 1e-3:
                return
            yield frame

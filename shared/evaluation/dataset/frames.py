"""Frames of videos as pictures, with the boxes that the editor shows on them."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np

from shared.evaluation.similarity.track_frames import interpolate_boxes
from shared.media.image import Image
from shared.media.video import VideoFile
from shared.results import Rectangle, Video, VideoBox


def read_frames(file: VideoFile, frame_rate: float, step: int) -> Iterator[tuple[int, Image]]:
    """Yield every `step`-th of the editor's frames, from 0, with its number."""
    video = Video.at_rate(file, frame_rate)
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

    After the last key frame, if that is enabled, its box stays.
    """
    shown, drawn = interpolate_boxes(boxes, np.array([frame]))
    return Rectangle(*map(float, drawn[0])) if len(shown) else None

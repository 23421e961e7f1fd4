"""Videos: what is read of them, upright and in time, and what is refused."""

import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from shared.errors import DecodeError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.media.video import VideoFile, VideoLimits
from shared.results import ImageSize, Video
from shared.results.video import frame_rate
from shared.settings import Settings
from tests.backends.detection.clip import CODECS, encode_video

pytest.importorskip("av")

LIMITS = VideoLimits(1.0, 100)
SIZE = (96, 64)


def picture(number: int) -> Any:
    """Gray, lighter from frame to frame, its upper left quarter red."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 60 + number * 5, np.uint8)
    pixels[:32, :48] = (200, 0, 0)
    return pixels


def small(kind: str = "mp4", frames: int = 20, **more: Any) -> bytes:
    return encode_video([picture(number) for number in range(frames)], kind, **more)


@pytest.mark.parametrize("kind", CODECS)
def test_what_browsers_play_is_read(kind: str) -> None:
    video = VideoFile.open(small(kind), LIMITS)
    assert video.size == ImageSize(*SIZE)
    assert (video.fps, round(video.duration, 3), video.count) == (25, 0.8, 20)
    frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(20)], abs=1e-3)
    for frame in (frames[0], frames[-1]):
        pixels = frame.decode().pixels
        assert pixels.shape == (64, 96, 3)
        assert np.abs(pixels[50, 80].astype(int) - (60 + frame.index * 5)).max() < 12
        assert pixels[10, 10, 0] > 150 > 60 > pixels[10, 10, 2]
    # Reading changes nothing of the process; see `encoded` for what writing AV1 does.
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("kind", sorted(CODECS.keys() - {"av1"}))
@pytest.mark.parametrize(
    ("count", "indices"),
    [(1, [10]), (5, [2, 6, 10, 14, 18]), (50, list(range(20)))],
    ids=["the middle", "some", "more than there are"],
)
def test_frames_spread_over_a_video(kind: str, count: int, indices: list[int]) -> None:
    frames = list(VideoFile.open(small(kind), LIMITS).sample(count))
    assert [frame.index for frame in frames] == indices
    for frame in (frames[0], frames[-1]):
        gray = frame.decode().pixels[50, 80].astype(int)
        assert np.abs(gray - (60 + frame.index * 5)).max() < 12


def test_long_videos_are_skipped_through(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"preset": "ultrafast", "g": "25"}
    monkeypatch.setitem(CODECS, "mp4", ("libx264", "mp4", options))
    data = encode_video([picture(n % 20) for n in range(500)], "mp4")
    video = VideoFile.open(data, VideoLimits(1.0, 1000))
    decoded = 0
    whole = VideoFile._timed_frames

    def count(self: VideoFile, container: Any, stream: Any) -> Any:
        nonlocal decoded
        for found in whole(self, container, stream):
            decoded += 1
            yield found

    monkeypatch.setattr(VideoFile, "_timed_frames", count)
    assert [frame.index for frame in video.sample(4)] == [62, 187, 312, 437]
    assert decoded <= 4 * 25, "not all 500"


def test_frames_of_a_video_that_is_cut_off() -> None:
    data = encode_video([picture(n % 20) for n in range(100)], "mkv")
    frames = list(VideoFile.open(data[: len(data) * 3 // 4], LIMITS).sample(5))
    assert [frame.index for frame in frames][:2] == [10, 30]
    assert len(frames) < 5


MATRICES = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def turned(data: bytes, degrees: int) -> bytes:
    """An MP4 that says it is to be turned clockwise, as telephones write it."""
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (part * 0x10000 for part in MATRICES[degrees])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    return data[:at] + matrix + data[at + 36 :]


@pytest.mark.parametrize(
    ("degrees", "size", "red"),
    [(90, (64, 96), (20, 40)), (180, (96, 64), (50, 80)), (270, (64, 96), (70, 10))],
)
def test_frames_are_upright(degrees: int, size: tuple[int, int], red: tuple[int, int]) -> None:
    video = VideoFile.open(turned(small(), degrees), LIMITS)
    assert video.size == ImageSize(*size)
    pixels = next(video.frames()).decode().pixels
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels[red][0] > 150 > pixels[red][2]
    others = [spot for spot in ((20, 40), (50, 80), (70, 10), (10, 10)) if spot != red]
    inside = [spot for spot in others if spot[0] < size[1] and spot[1] < size[0]]
    assert all(pixels[spot][2] > 50 for spot in inside if (spot[0] < 48) != (red[0] < 48))


def test_frames_keep_their_own_times() -> None:
    times = [0.0, 0.04, 0.5, 0.52, 1.4]
    data = encode_video([picture(n) for n in range(5)], "mp4", times=times)
    video = VideoFile.open(data, LIMITS)
    assert [frame.time for frame in video.frames()] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("kind", ["webm", "avi"])
def test_a_truncated_video_is_used_as_far_as_it_goes(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = small(kind)
    video = VideoFile.open(whole[: len(whole) * 2 // 3], LIMITS, task=7)
    read = len(list(video.frames()))
    assert 0 < read < 18
    assert f"Task 7: {read} of about 20 frames of the video can be read" in caplog.text


def test_a_damaged_part_is_left_out() -> None:
    whole = bytearray(small("avi"))
    middle = len(whole) // 2
    whole[middle : middle + 400] = b"\x55" * 400
    times = [frame.time for frame in VideoFile.open(bytes(whole), LIMITS).frames()]
    assert 10 <= len(times) <= 20
    assert times[-1] == pytest.approx(19 / 25)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"<html>log in</html>", "a web page"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n", "Not a readable video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "Not a readable video"),
        (b"\x1a\x45\xdf\xa3" + b"a" * 500, "The video is damaged"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 100, "The video is damaged"),
        (small("mp4")[:600], "The video is damaged"),
    ],
    ids=["empty", "web page", "play list", "list of files", "matroska", "mp4", "mp4 without end"],
)
def test_what_is_no_video_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        VideoFile.open(data, LIMITS)


def test_sound_alone_is_refused() -> None:
    import io

    import av

    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=48000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
        sound.rate = 48000
        file.mux(stream.encode(sound))
        file.mux(stream.encode())
    with pytest.raises(DecodeError, match="no video stream"):
        VideoFile.open(out.getvalue(), LIMITS)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (VideoLimits(0.005, 100), "96 × 64.*MAX_MEGAPIXELS allows 0.005"),
        (VideoLimits(1, 19), "20 frames or more; MAX_VIDEO_FRAMES allows 19"),
    ],
)
def test_limits(limits: VideoLimits, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        VideoFile.open(small(), limits)


def test_more_frames_than_announced_are_counted() -> None:
    video = VideoFile.open(small("webm"), VideoLimits(1, 20))
    object.__setattr__(video, "limits", VideoLimits(1, 10))
    with pytest.raises(DecodeError, match="MAX_VIDEO_FRAMES allows 10"):
        list(video.frames())


def test_an_editor_with_too_many_frames_is_refused() -> None:
    video = VideoFile.open(small(), LIMITS)
    tag = ObjectTag("Video", "v", "video", {"frameRate": "100000"})
    with pytest.raises(DecodeError, match="MAX_VIDEO_FRAMES allows 100"):
        Video.of_file(video, tag, Task(1, {}))


@pytest.mark.parametrize(
    ("attrs", "rate"),
    [
        ({}, 24),
        ({"frameRate": "25"}, 25),
        ({"frameRate": "29.97"}, 29.97),
        ({"frameRate": "0.04"}, 25),
        ({"frameRate": "$fps"}, 30),
        ({"frameRate": "$meta.fps"}, 12.5),
        ({"frameRate": "$missing"}, 24),
        ({"frameRate": "fast"}, 24),
        ({"frameRate": "0"}, 24),
        ({"frameRate": "-5"}, 24),
        ({"frameRate": "inf"}, 24),
    ],
)
def test_frame_rate_as_the_editor_reads_it(attrs: Mapping[str, str], rate: float) -> None:
    task = Task(1, {"fps": 30, "meta": {"fps": "12.5"}})
    assert frame_rate(ObjectTag("Video", "v", "video", attrs), task) == pytest.approx(rate)


@pytest.mark.parametrize(("rate", "frames"), [("25", 20), ("24", 19), ("50", 40), ("1", 1)])
def test_the_editor_counts_frames_by_its_own_rate(rate: str, frames: int) -> None:
    video = VideoFile.open(small(), LIMITS)
    tag = ObjectTag("Video", "v", "video", {"frameRate": rate})
    shown = Video.of_file(video, tag, Task(1, {}))
    assert (shown.frames, shown.fps) == (frames, float(rate))
    assert shown.duration == pytest.approx(0.8)


def test_media_opens_videos_by_its_rules() -> None:
    import base64

    media = MediaReader(Settings(max_video_frames=30))
    try:
        address = "data:video/mp4;base64," + base64.b64encode(small()).decode()
        assert media.read_video(address, 3).task == 3
        with pytest.raises(DecodeError, match="MAX_VIDEO_FRAMES allows 30"):
            media.read_video("data:video/mp4;base64," + base64.b64encode(small(frames=31)).decode())
    finally:
        media.close()

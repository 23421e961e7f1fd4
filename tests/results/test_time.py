"""Seconds, times and frames."""

import math
from datetime import datetime

import pytest

from shared.results import (
    AudioSpan,
    ImageSize,
    Rectangle,
    TimelineSpan,
    TimeSeriesSpan,
    Video,
    VideoBox,
    VideoTrack,
)

VIDEO = Video(ImageSize(200, 100), 50, 25.0)


def test_audio_is_clipped_to_the_recording() -> None:
    value, beside = AudioSpan(-1, 12.3456789, 1).to_value(10)
    assert value == {"start": 0, "end": 10, "channel": 1}
    assert beside == {"original_length": 10}
    assert AudioSpan(0.5, 1.25).to_value()[1] == {}
    assert AudioSpan.from_value({"start": 1, "end": 2}) == AudioSpan(1, 2)


def test_times_are_written_as_the_column_has_them() -> None:
    day = datetime(2024, 1, 3)
    span = TimeSeriesSpan(day, datetime(2024, 1, 9))
    value, _ = span.to_value("%Y-%m-%d")
    assert value == {"start": "2024-01-03", "end": "2024-01-09", "instant": False}
    assert TimeSeriesSpan.from_value(value, "%Y-%m-%d") == span
    assert TimeSeriesSpan(4, 4).to_value()[0] == {"start": 4, "end": 4, "instant": True}
    assert TimeSeriesSpan.from_value({"start": "x", "end": "y"}, "%Y") == TimeSeriesSpan("x", "y")


def test_the_editor_counts_frames_from_one() -> None:
    track = VideoTrack(
        [VideoBox(24, Rectangle(20, 10, 20, 10)), VideoBox(0, Rectangle(0, 0, 2, 1))]
    )
    value, _ = track.to_value(VIDEO)
    assert value["framesCount"] == 50
    assert value["duration"] == 2
    assert [(box["frame"], box["time"]) for box in value["sequence"]] == [(1, 0.04), (25, 1)]
    assert value["sequence"][1]["x"] == 10
    again = VideoTrack.from_value(value, VIDEO)
    assert again.boxes == sorted(track.boxes, key=lambda box: box.frame)


def test_a_timeline_is_half_open_here_and_closed_there() -> None:
    value, _ = TimelineSpan(0, 10).to_value(VIDEO)
    assert value == {"ranges": [{"start": 1, "end": 10}]}
    assert TimelineSpan.from_value(value) == TimelineSpan(0, 10)
    assert TimelineSpan(45, 90).to_value(VIDEO)[0]["ranges"] == [{"start": 46, "end": 50}]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_noise_never_raises(number: float) -> None:
    AudioSpan(number, number).to_value(10)
    TimeSeriesSpan(number, number).to_value()
    VideoTrack([VideoBox(0, Rectangle(number, 0, 1, 1))]).to_value(Video(ImageSize(0, 0), 0, 0))

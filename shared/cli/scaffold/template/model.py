"""The model of $name: a stand-in until you put yours in its place."""

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.backend import Image, Passage, Passages
from shared.results import ImageSize

from .clip import Clip
from .series import Series
from .sound import Sound


class Detection(NamedTuple):
    """An object in an image of `size`: `xyxy` is left, top, right, bottom in pixels.

    The mask has the shape (height, width) of the image.
    """

    name: str
    score: float
    size: ImageSize
    xyxy: tuple[float, float, float, float]
    mask: NDArray[np.bool_]


class Entity(NamedTuple):
    """Code points `start` to `end` (exclusive) of a passage."""

    passage: Passage
    start: int
    end: int
    name: str
    score: float


class SoundSegment(NamedTuple):
    """A part of a recording, `start` to `end` in seconds."""

    start: float
    end: float
    name: str
    score: float


class SeriesSegment(NamedTuple):
    """A part of a time series, `start` to `end` as its time column has them."""

    start: float | str
    end: float | str
    name: str
    score: float


class FrameBox(NamedTuple):
    """A box in a frame, counted from 0: `xyxy` is left, top, right, bottom in pixels."""

    frame: int
    xyxy: tuple[float, float, float, float]


class VideoSegment(NamedTuple):
    """Frames `start` to `end` (exclusive), counted from 0."""

    start: int
    end: int
    name: str
    score: float


class Model:
    """A stand-in that needs no weights. Put your model in its place."""

    classes__image_regions = ("Spot",)

    classes__text_spans = ("Word",)

    classes__audio_spans = ("Loud",)

    classes__timeseries_spans = ("High",)

    classes__video_spans = ("Bright",)

    def predict__choices(self, items: list[Any]) -> list[dict[str, float]]:
        """Return the score of each class, for each item."""
        scores = [measure__image(item) for item in items]
        return [{"Low": 1 - score, "High": score} for score in scores]

    def predict__fraction(self, items: list[Any]) -> list[float]:
        """Return a number from 0 to 1 for each item."""
        return [measure__image(item) for item in items]

    def predict__date(self, items: list[Any]) -> list[datetime]:
        """Return a day of the year 2024 for each item."""
        days = [round(measure__image(item) * 365) for item in items]
        return [datetime(2024, 1, 1) + timedelta(day) for day in days]

    def predict__sentence(self, items: list[Any]) -> list[str]:
        """Return a text for each item."""
        return [f"It is {measure__image(item):.0%} of what it could be" for item in items]

    def predict__preference(self, pairs: list[list[Any]]) -> list[str]:
        """Return "left" or "right" for each pair, whichever is better."""
        scores = [(measure__image(left), measure__image(right)) for left, right in pairs]
        return ["left" if left > right else "right" for left, right in scores]

    def predict__ranking(self, lists: list[list[dict[str, Any]]]) -> list[list[str]]:
        """Return the ids of each list's items, the one with the shortest title first."""
        ranked = [sorted(items, key=title_length) for items in lists]
        return [[str(item.get("id")) for item in items] for items in ranked]

    def predict__image_regions(self, images: list[Image]) -> list[list[Detection]]:
        """Return the objects in each image."""
        return [find_spot(image) for image in images]

    def predict__text_spans(self, texts: list[Passages]) -> list[tuple[Passages, list[Entity]]]:
        """Return each text with its entities."""
        return [(text, find_long_words(text)) for text in texts]

    def predict__audio_spans(self, sounds: list[Sound]) -> list[tuple[Sound, list[SoundSegment]]]:
        """Return each recording with its segments."""
        return [(sound, find_loud_part(sound)) for sound in sounds]

    def predict__timeseries_spans(self, items: list[Series]) -> list[list[SeriesSegment]]:
        """Return the segments of each time series."""
        return [find_high_values(series) for series in items]

    def predict__video_track(self, clips: list[Clip]) -> list[tuple[Clip, list[FrameBox]]]:
        """Return each video with the boxes of one object."""
        return [(clip, track_bright_pixels(clip)) for clip in clips]

    def predict__video_spans(self, clips: list[Clip]) -> list[tuple[Clip, list[VideoSegment]]]:
        """Return each video with its segments."""
        return [(clip, find_bright_frames(clip)) for clip in clips]


def find_spot(image: Image) -> list[Detection]:
    """Find the pixels whose color differs from the image's corner, as one object."""
    difference = np.abs(image.pixels.astype(int) - image.pixels[0, 0]).max(axis=2)
    mask = difference > 40
    if not mask.any():
        return []
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    xyxy = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    return [Detection("Spot", float(difference[mask].mean()) / 255, image.size, xyxy, mask)]


def find_long_words(text: Passages) -> list[Entity]:
    """Find the words of ten letters or more."""
    return [
        Entity(passage, *match.span(), "Word", min(1.0, len(match[0]) / 20))
        for passage in text.passages
        for match in re.finditer(r"\w{10,}", passage.text)
    ]


def find_loud_part(sound: Sound) -> list[SoundSegment]:
    """Find the part from the first to the last sample over half of the loudest."""
    level = np.abs(sound.samples)
    loud = np.flatnonzero(level > level.max(initial=0.0) / 2)
    if not loud.size:
        return []
    start, end = float(loud[0]) / sound.rate, float(loud[-1] + 1) / sound.rate
    return [SoundSegment(start, end, "Loud", float(level.max()))]


def find_high_values(series: Series) -> list[SeriesSegment]:
    """Find the part from the first to the last value over the mean."""
    if not series.values.size:
        return []
    high = np.flatnonzero(series.values > series.values.mean())
    if not high.size:
        return []
    start, end = series.times[int(high[0])], series.times[int(high[-1])]
    return [SeriesSegment(start, end, "High", high.size / series.values.size)]


def track_bright_pixels(clip: Clip) -> list[FrameBox]:
    """Find the box around the bright pixels of each frame that has some."""
    boxes = []
    scale_x = clip.video.size.width / clip.frames.shape[2]
    scale_y = clip.video.size.height / clip.frames.shape[1]
    for number, frame in enumerate(clip.frames):
        bright = frame > 150
        if bright.any():
            xs, ys = np.flatnonzero(bright.any(axis=0)), np.flatnonzero(bright.any(axis=1))
            left, top, right, bottom = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
            xyxy = left * scale_x, top * scale_y, right * scale_x, bottom * scale_y
            boxes.append(FrameBox(number, xyxy))
    return boxes


def find_bright_frames(clip: Clip) -> list[VideoSegment]:
    """Find the part from the first to the last frame that is brighter than the mean."""
    levels = clip.frames.mean(axis=(1, 2))
    bright = np.flatnonzero(levels > levels.mean() + 1)
    if not bright.size:
        return []
    score = float(levels[bright].mean()) / 255
    return [VideoSegment(int(bright[0]), int(bright[-1]) + 1, "Bright", score)]


def measure__image(image: Image) -> float:
    """Return how bright an image is, from 0 to 1."""
    return float(image.pixels.mean()) / 255


def measure__text(text: Passages) -> float:
    """Return how long the words of a text are, from 0 to 1."""
    words = text.text.split()
    return min(1.0, sum(map(len, words)) / len(words) / 10) if words else 0.0


def measure__plain_text(text: str) -> float:
    """Return how long a text is, from 0 to 1."""
    return min(1.0, len(text) / 1000)


def measure__audio(sound: Sound) -> float:
    """Return how loud a recording is, from 0 to 1."""
    return float(np.abs(sound.samples).mean()) if sound.samples.size else 0.0


def measure__video(clip: Clip) -> float:
    """Return how bright a video is, from 0 to 1."""
    return float(clip.frames.mean()) / 255


def measure__timeseries(series: Series) -> float:
    """Return where the mean lies between the smallest and the greatest value, from 0 to 1."""
    if not series.values.size or not np.ptp(series.values):
        return 0.0
    return float((series.values.mean() - series.values.min()) / np.ptp(series.values))


def title_length(item: dict[str, Any]) -> int:
    """Return the length of an item's title."""
    return len(str(item.get("title", "")))

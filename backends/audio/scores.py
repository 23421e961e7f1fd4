"""From the logits of windows to the scores of classes, and to spans."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from backends.audio.sound import Heard, SoundOutput, Window

# What CLAP is told besides the labels, so that something can be none of them.
BACKGROUND = ("silence", "background noise")


class EventSpan(NamedTuple):
    """Seconds of a channel in which a class was heard, with its mean score."""

    name: str
    start: float
    end: float
    score: float
    channel: int


def class_scores(
    logits: Mapping[str, float], output: SoundOutput, names: Sequence[str], several: bool
) -> dict[str, float]:
    """Return the score of each class in a window, from 0 to 1.

    Of CLAP the names share 1, or with `several` each is weighed against the background. Of other
    networks all their classes do, unless they do not exclude each other.
    """
    if output.named and several:
        noise = max(logits[name] for name in BACKGROUND)
        return {name: _sigmoid(logits[name] - noise) for name in names}
    if output.named:
        return _softmax({name: logits[name] for name in names})
    if output.exclusive:
        return _softmax(logits)
    return {name: _sigmoid(logit) for name, logit in logits.items()}


def mean_scores(
    heard: Iterable[Heard], output: SoundOutput, names: Sequence[str], several: bool
) -> dict[str, float]:
    """Return the mean score of each class over windows."""
    rows = [class_scores(one.logits, output, names, several) for one in heard]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


def find_events(output: SoundOutput, names: Sequence[str], threshold: float) -> Iterator[EventSpan]:
    """Yield the spans in which a class scores high, by channel and time.

    Neighbouring windows overlap by half: each speaks for its middle.
    """
    heard = [one for one in output.heard if one.window.purpose == "event"]
    asked = (*names, *BACKGROUND) if output.named else names
    rows = [class_scores(one.logits, output, asked, several=False) for one in heard]
    for name in dict.fromkeys(name for row in rows for name in row):
        if name in BACKGROUND and output.named:
            continue
        scores = [row[name] for row in rows]
        for first, last in _runs(heard, scores, threshold):
            start, _ = _middle(heard[first].window, output.length)
            _, end = _middle(heard[last].window, output.length)
            score = float(np.mean(scores[first : last + 1]))
            yield EventSpan(name, start, end, score, heard[first].window.channel)


def _runs(
    heard: Sequence[Heard], scores: Sequence[float], threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of neighbouring windows that score high."""
    first: int | None = None
    for place, score in enumerate(scores):
        follows = first is not None and _are_neighbours(
            heard[place - 1].window, heard[place].window
        )
        if first is not None and (score < threshold or not follows):
            yield first, place - 1
            first = None
        if first is None and score >= threshold:
            first = place
    if first is not None:
        yield first, len(scores) - 1


def _are_neighbours(one: Window, other: Window) -> bool:
    return one.channel == other.channel and one.start <= other.start <= one.end


def _middle(window: Window, length: float) -> tuple[float, float]:
    quarter = (window.end - window.start) / 4
    start = 0.0 if window.start <= 0 else window.start + quarter
    return start, length if window.end >= length else window.end - quarter


def _softmax(logits: Mapping[str, float]) -> dict[str, float]:
    values = np.exp(np.array(list(logits.values())) - max(logits.values()))
    return dict(zip(logits, (values / values.sum()).tolist(), strict=True))


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit, -60, 60))))

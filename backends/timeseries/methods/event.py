"""What a method or model finds in a series."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """From row `start` to row `end`, which belongs to it; a single moment if they are equal.

    `score` is from 0 to 1; `quality`, where it was asked for, how good the signal is there.
    """

    start: int
    end: int
    score: float
    quality: float | None = None

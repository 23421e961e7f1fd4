"""Regions on recordings: spans of seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.results.types import ShapeValue

# Microseconds: finer than the samples of any common recording.
SECONDS_DECIMALS = 6


@dataclass(frozen=True)
class AudioSpan:
    """Seconds `start` to `end` of one channel, both counted from the recording's start.

    `channel` is counted from 0. The span is clipped to the recording.
    """

    start: float
    end: float
    channel: int = 0

    def to_value(self, length: float | None = None) -> ShapeValue:
        """Return `start`, `end` and `channel`; `length` is the recording's, in seconds."""
        value = {
            "start": _clip_seconds(self.start, length),
            "end": _clip_seconds(self.end, length),
            "channel": self.channel,
        }
        return value, {} if length is None else {"original_length": float(length)}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], length: float | None = None) -> "AudioSpan":
        """Read the span of a result's `value`."""
        return cls(float(value["start"]), float(value["end"]), int(value.get("channel") or 0))


def _clip_seconds(seconds: float, length: float | None) -> float:
    inside = max(float(seconds), 0.0)
    return round(inside if length is None else min(inside, float(length)), SECONDS_DECIMALS)

"""Regions on recordings: spans of seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = tuple[dict[str, Any], dict[str, Any]]

# Of a second: finer than a sample.
SECONDS_DECIMALS = 6


@dataclass(frozen=True)
class AudioSpan:
    """Seconds `start` to `end` of a channel, counted from 0. Clipped to the recording."""

    start: float
    end: float
    channel: int = 0

    def to_value(self, on: float | None = None) -> Value:
        """As `start`, `end`, `channel`; `on` is the recording's length in seconds, if known."""
        value = {
            "start": _clip_seconds(self.start, on),
            "end": _clip_seconds(self.end, on),
            "channel": self.channel,
        }
        return value, {} if on is None else {"original_length": float(on)}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], on: float | None = None) -> "AudioSpan":
        """From a result's `value`."""
        return cls(float(value["start"]), float(value["end"]), int(value.get("channel") or 0))


def _clip_seconds(seconds: float, length: float | None) -> float:
    inside = max(float(seconds), 0.0)
    return round(inside if length is None else min(inside, float(length)), SECONDS_DECIMALS)

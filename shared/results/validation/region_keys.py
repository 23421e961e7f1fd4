"""The keys beside a result's `value`: what they may hold."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared.results.validation.finding import RuleViolation, quote

ORIGINS = ("prediction", "prediction-changed", "manual")


class Key(NamedTuple):
    """One key: whether a value of it is good, and what is expected of it in words."""

    name: str
    good: Callable[[Any], bool]
    expected: str

    def problem(self, found: Any) -> RuleViolation:
        """What to say of a value that is not good."""
        return RuleViolation(
            self.name, f'"{self.name}" is {quote(found)}, expected {self.expected}'
        )


def is_score(found: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1


def _score(found: Any) -> bool:
    return found is None or is_score(found)


def _boolean(found: Any) -> bool:
    return isinstance(found, bool)


def _object(found: Any) -> bool:
    return found is None or isinstance(found, dict)


def _text(found: Any) -> bool:
    return found is None or isinstance(found, str)


def _index(found: Any) -> bool:
    return found is None or (type(found) is int and found >= 0)


def _pixels(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 1e9


def _quarter(found: Any) -> bool:
    return isinstance(found, int | float) and found in (0, 90, 180, 270)


# By name. A key that is not here is nobody's, and is left alone.
ENVELOPE: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("score", _score, "a number from 0 to 1"),
        Key("readonly", _boolean, "true or false"),
        Key("hidden", _boolean, "true or false"),
        Key("meta", _object, "an object"),
        Key("parentID", _text, "a region's id"),
        Key("item_index", _index, "a whole number from 0 on"),
        Key("origin", lambda found: found in ORIGINS, f"one of {', '.join(ORIGINS)}"),
        Key("original_width", _pixels, "the image's width in pixels"),
        Key("original_height", _pixels, "the image's height in pixels"),
        Key("image_rotation", _quarter, "0, 90, 180 or 270"),
    )
}

"""Checks the keys beside a result's `value`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared.results.validation.finding import RuleViolation, quote

ORIGINS = ("prediction", "prediction-changed", "manual")


class RegionKey(NamedTuple):
    """A key: whether its value is valid, and what is expected, in words."""

    name: str
    is_valid: Callable[[Any], bool]
    expected: str

    def violation(self, found: Any) -> RuleViolation:
        """Return the message about an invalid value."""
        return RuleViolation(
            self.name, f'"{self.name}" is {quote(found)}, expected {self.expected}'
        )


def is_score(found: Any) -> bool:
    """Return whether a value is a number from 0 to 1."""
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1


def _is_optional_score(found: Any) -> bool:
    return found is None or is_score(found)


def _is_boolean(found: Any) -> bool:
    return isinstance(found, bool)


def _is_object(found: Any) -> bool:
    return found is None or isinstance(found, dict)


def _is_text(found: Any) -> bool:
    return found is None or isinstance(found, str)


def _is_index(found: Any) -> bool:
    return found is None or (type(found) is int and found >= 0)


def _is_pixel_count(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 1e9


def _is_quarter_turn(found: Any) -> bool:
    return isinstance(found, int | float) and found in (0, 90, 180, 270)


# By name. Other keys are ignored by the editor, and are not checked.
REGION_KEYS: Mapping[str, RegionKey] = {
    key.name: key
    for key in (
        RegionKey("score", _is_optional_score, "a number from 0 to 1"),
        RegionKey("readonly", _is_boolean, "true or false"),
        RegionKey("hidden", _is_boolean, "true or false"),
        RegionKey("meta", _is_object, "an object"),
        RegionKey("parentID", _is_text, "a region's id"),
        RegionKey("item_index", _is_index, "a whole number from 0 on"),
        RegionKey("origin", lambda found: found in ORIGINS, f"one of {', '.join(ORIGINS)}"),
        RegionKey("original_width", _is_pixel_count, "the image's width in pixels"),
        RegionKey("original_height", _is_pixel_count, "the image's height in pixels"),
        RegionKey("image_rotation", _is_quarter_turn, "0, 90, 180 or 270"),
    )
}

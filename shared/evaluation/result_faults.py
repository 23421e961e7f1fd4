"""What is wrong with a result beside its shape: keys that Label Studio stores unchecked."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.label_studio.task import describe_type

# No coordinate, offset or time is as large, those in nanoseconds included: squares stay finite.
MAX_NUMBER = 1e20


def find_fault(result: Mapping[str, Any]) -> str | None:
    """Return what makes a result unusable, in words for a message; None if nothing does."""
    return next(_faults(result), None)


def _faults(result: Mapping[str, Any]) -> Iterator[str]:
    for key, kinds, expected in (
        ("id", str | int, "a text"),
        ("item_index", int, "a number"),
        ("score", int | float, "a number"),
        ("original_width", int | float, "a number"),
        ("original_height", int | float, "a number"),
    ):
        value = result.get(key)
        if value is not None and not isinstance(value, kinds):
            yield f'"{key}" is {describe_type(value)}, expected {expected}'
        elif _is_too_large(value):
            yield f'"{key}" is {_shorten(value)}, expected at most {MAX_NUMBER:g}'
        elif key.startswith("original_") and isinstance(value, int | float) and value < 1:
            yield f'"{key}" is {value}, expected at least a pixel'
    for key, value in _numbers_of(result["value"]):
        if _is_too_large(value):
            yield f'"{key}" is {_shorten(value)}, expected at most {MAX_NUMBER:g}'
    if "imageDataURL" in result["value"] and "original_width" not in result:
        yield '"original_width" is missing'


def _numbers_of(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values in a result's `value` and in the key frames of a track."""
    yield from value.items()
    keyframes = value.get("sequence")
    for keyframe in keyframes if isinstance(keyframes, list) else ():
        if isinstance(keyframe, Mapping):
            yield from keyframe.items()


def _shorten(number: Any) -> str:
    try:
        return f"{number:g}"
    except OverflowError:  # an integer of more than 308 digits
        return "an integer of hundreds of digits"


def _is_too_large(value: Any) -> bool:
    """Return whether a value is a number of no use; infinite ones and NaN are, too."""
    return isinstance(value, int | float) and not abs(value) <= MAX_NUMBER

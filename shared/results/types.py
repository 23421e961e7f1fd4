"""The types that all result builders share."""

from typing import Any, Protocol, TypeAlias

# One entry of a prediction's `result` list, as Label Studio reads it.
Result: TypeAlias = dict[str, Any]

# A result's `value`, and the keys that stand beside it in the result, such as `original_width`.
ShapeValue: TypeAlias = tuple[dict[str, Any], dict[str, Any]]


class Shape(Protocol):
    """Where a region is, in the units of models: pixels, code points, seconds or frames."""

    def to_value(self, source: Any, /) -> ShapeValue:
        """Return the shape in Label Studio's units; `source` is what the shape lies on."""

"""Notices when all shapes of a file are in fractions of 1 instead of percent."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.label_studio.label_config import LabelConfig
from shared.results.validation.finding import Finding, Value, is_number
from shared.results.validation.rules import ControlRules, rules_of

NUMBER_KEYS = ("x", "y", "width", "height", "radiusX", "radiusY")


class FractionDetector:
    """Watches results one by one, and keeps none of them.

    A single box below 1 is a box in a corner; where every shape of a file is one, whoever wrote
    it did so in fractions.
    """

    def __init__(self, config: LabelConfig) -> None:
        self._rules = rules_of(config)
        self._fractions = self._percent = False
        """Whether the shapes so far are fractions; after one in percent it stops looking."""

    def observe_results(self, results: Any) -> None:
        """Look at a prediction's results; accepts any JSON."""
        if self._percent or not isinstance(results, list | tuple):
            return
        for result in results:
            rules = (
                self._rules.find_control(result.get("from_name"))
                if isinstance(result, dict)
                else None
            )
            if rules is not None and _in_percent(rules) and isinstance(result.get("value"), dict):
                self._observe_value(result["value"])

    def _observe_value(self, value: Value) -> None:
        most = max((number for number in _shape_numbers(value) if is_number(number)), default=0)
        self._fractions = self._fractions or 0 < most <= 1
        self._percent = most > 1

    def findings(self) -> Iterator[Finding]:
        """Return the finding about all results, if there is one."""
        if self._percent or not self._fractions:
            return
        what = (
            "all boxes and other shapes are below 1, which is the top left corner of the image: are"
            " they fractions? Label Studio counts in percent, × 100"
        )
        yield Finding("fractions", None, None, what, "warning")


def _in_percent(rules: ControlRules) -> bool:
    """Return whether a result is on an image or video; those on a PDF are fractions indeed."""
    return rules.target is not None and rules.target.tag in {"Image", "Video"}


def _shape_numbers(value: Value) -> Iterator[Any]:
    """Yield the coordinates and sizes of any shape, except a key point's size."""
    for part in (value, *_list_at(value, "vertices"), *_list_at(value, "sequence")):
        if isinstance(part, dict):
            yield from (part[key] for key in _number_keys(part) if key in part)
    for point in _list_at(value, "points"):
        yield from point if isinstance(point, list | tuple) else ()


def _number_keys(part: Value) -> Iterable[str]:
    return NUMBER_KEYS if "height" in part or "radiusX" in part else NUMBER_KEYS[:2]


def _list_at(value: Value, key: str) -> Sequence[Any]:
    found = value.get(key)
    return found if isinstance(found, list | tuple) else ()

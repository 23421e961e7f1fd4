"""The labels of a dataset, numbered: those of the label config, and those that tasks bring."""

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.label_studio.label_config import Control, LabelConfig

# Labels that a message names.
MAX_NAMED_LABELS = 8


class LabelIndex:
    """Numbers the labels of control tags."""

    def __init__(self, config: LabelConfig) -> None:
        self._own = {control.name: _own_labels(control, config) for control in config.controls}
        self._numbers: dict[tuple[str, str], int] = {}

    def add_all(self, labels: Iterable[tuple[str, str]]) -> tuple[int, ...]:
        """Return the numbers of control tags' labels, as often as they come."""
        return tuple(self._numbers.setdefault(one, len(self._numbers)) for one in labels)

    def names(self) -> dict[str, list[str]]:
        """Return the labels of each control tag: its own in their order, then further ones."""
        found = {name: dict.fromkeys(labels) for name, labels in self._own.items()}
        for name, label in sorted(self._numbers):
            found.setdefault(name, {})[label] = None
        return {name: list(labels) for name, labels in found.items()}

    def describe(self, numbers: Iterable[int]) -> str:
        """Return labels in words, for messages."""
        by_number = {number: label for (_, label), number in self._numbers.items()}
        named = sorted(f'"{by_number[number]}"' for number in set(numbers))
        more = len(named) - MAX_NAMED_LABELS
        return ", ".join(named[:MAX_NAMED_LABELS]) + (f" and {more} more" if more > 0 else "")

    def counter(self) -> "LabelCounter":
        """Return a counter of the labels."""
        return LabelCounter(list(self._numbers))


def _own_labels(control: Control, config: LabelConfig) -> list[str]:
    """Return the labels of a control tag in their order; a track has those of the Labels tag."""
    if control.has_nested_choices:
        return list(dict.fromkeys("/".join(path) for path in control.paths))
    if control.tag == "VideoRectangle":
        beside = config.controls_on(control.to_name)
        return [label for other in beside if other.tag == "Labels" for label in other.labels]
    return list(control.labels)


class LabelCounter:
    """Counts labels by their numbers in each part."""

    def __init__(self, labels: Sequence[tuple[str, str]]) -> None:
        self._labels = labels
        self._counts: Counter[tuple[int, str]] = Counter()

    def add(self, numbers: Iterable[int], part: str) -> None:
        """Count labels in a part."""
        self._counts.update((number, part) for number in numbers)

    def to_json(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return {control tag: {label: {part: count}}}."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for (number, part), count in self._counts.items():
            name, label = self._labels[number]
            found.setdefault(name, {}).setdefault(label, {})[part] = count
        return found

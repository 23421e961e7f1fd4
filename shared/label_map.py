"""Which class of a model becomes which label of a control tag."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from shared.label_config import Control

Aliases = Mapping[str, Iterable[str]]
"""Other names under which a class is commonly known: {"PER": ["Person", "People"]}."""
NO_ALIASES: Aliases = MappingProxyType({})
Rule = tuple[Mapping[str, str], Mapping[str, str]]
"""Names to labels: as they are written, and folded."""


@dataclass(frozen=True)
class LabelMap:
    """The mapping, and what it leaves over on either side.

    `to_label` maps a model's class to the label as it stands in results.
    """

    control: Control
    to_label: Mapping[str, str]
    unused_classes: tuple[str, ...]
    unfilled_labels: tuple[str, ...]

    @classmethod
    def build(
        cls, control: Control, classes: Iterable[str], aliases: Aliases = NO_ALIASES
    ) -> "LabelMap":
        """Match classes to labels.

        A class goes, in this order, to the label that lists it in `predicted_values`, that is
        written exactly so (as alias or value), that is written so but for case, white space,
        hyphens and underscores, or that is a common other name of it.
        """
        rules = _with_folded(_predicted_values(control)), _with_folded(_written(control))
        to_label: dict[str, str] = {}
        names = list(dict.fromkeys(classes))
        for name in names:
            label = _find(name, rules)
            for other in () if label else aliases.get(name, ()):
                label = label or _find(other, rules)
            if label is not None:
                to_label[name] = label
        filled = set(to_label.values())
        return cls(
            control,
            MappingProxyType(to_label),
            tuple(name for name in names if name not in to_label),
            tuple(label for label in control.labels if label not in filled),
        )

    def report(self) -> str:
        """The mapping in one line, for the log."""
        pairs = ", ".join(
            name if name == label else f"{name} → {label}" for name, label in self.to_label.items()
        )
        parts = [pairs or "no class of the model has a label"]
        if self.unfilled_labels:
            parts.append(f"labels without a class: {_some(self.unfilled_labels)}")
        if self.unused_classes:
            parts.append(f"classes without a label: {_some(self.unused_classes)}")
        return f"{self.control}: " + "; ".join(parts)

    def json(self) -> dict[str, Any]:
        """The same, for machines."""
        return {
            "control": self.control.name,
            "labels": dict(self.to_label),
            "unfilled_labels": list(self.unfilled_labels),
            "unused_classes": list(self.unused_classes),
        }


def folded(name: str) -> str:
    """A name as it is compared when case and separators do not matter."""
    return "".join(name.casefold().replace("-", " ").replace("_", " ").split())


def _predicted_values(control: Control) -> dict[str, str]:
    return {
        value.strip(): label
        for label, attrs in control.labels.items()
        for value in attrs.get("predicted_values", "").split(",")
        if value.strip()
    }


def _written(control: Control) -> dict[str, str]:
    by_value = {
        attrs["value"]: label for label, attrs in control.labels.items() if attrs.get("value")
    }
    return by_value | {label: label for label in control.labels}


def _with_folded(rule: dict[str, str]) -> Rule:
    """The rule, and the same for folded names, of which the first counts."""
    return rule, {folded(key): label for key, label in reversed(rule.items())}


def _find(name: str, rules: Iterable[Rule]) -> str | None:
    for exact, loose in rules:
        if name in exact:
            return exact[name]
        if folded(name) in loose:
            return loose[folded(name)]
    return None


def _some(names: tuple[str, ...], limit: int = 12) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more

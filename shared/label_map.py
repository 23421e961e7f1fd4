"""Which class of a model becomes which label of a control tag."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from shared.label_config import Control

Aliases = Mapping[str, Iterable[str]]
"""Other names under which a class is commonly known: {"PER": ["Person", "People"]}."""
NO_ALIASES: Aliases = MappingProxyType({})
Rule = tuple[Mapping[str, str], Mapping[str, str]]
"""Names to labels: as they are written, and folded."""
MOST_CLASSES = 50_000
"""Classes that a map remembers: more than any fixed list of classes has (ImageNet-21k: 21,841),
so that only a model that answers in free text can reach it."""


@dataclass(frozen=True)
class LabelMap:
    """The mapping, and what it leaves over on either side.

    `to_label` maps a model's class to the label as it stands in results. How one class maps does
    not depend on which others there are, so a map can grow by classes that come later.
    """

    control: Control
    to_label: Mapping[str, str]
    unused_classes: tuple[str, ...]
    unfilled_labels: tuple[str, ...]
    _rules: tuple[Rule, ...] = field(default=(), repr=False)

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
        empty = cls(control, MappingProxyType({}), (), tuple(control.labels), rules)
        return empty.grown(classes, aliases)

    def covers(self, classes: Iterable[str]) -> bool:
        """Return whether all these classes were looked up already."""
        return self._known.issuperset(classes)

    def grown(self, classes: Iterable[str], aliases: Aliases = NO_ALIASES) -> "LabelMap":
        """Return a map of these classes besides those that it knows.

        Of more than MOST_CLASSES in all only these are kept.
        """
        new = [name for name in dict.fromkeys(classes) if name not in self._known]
        if not new:
            return self
        if len(self._known) + len(new) > MOST_CLASSES and self._known:
            return self.build(self.control, classes, aliases)
        found = {name: _label(name, self._rules, aliases) for name in new}
        to_label = {**self.to_label, **{name: label for name, label in found.items() if label}}
        filled = frozenset(to_label.values())
        return LabelMap(
            self.control,
            MappingProxyType(to_label),
            (*self.unused_classes, *(name for name, label in found.items() if not label)),
            tuple(label for label in self.unfilled_labels if label not in filled),
            self._rules,
        )

    @cached_property
    def filled(self) -> frozenset[str]:
        """The labels that a class maps to."""
        return frozenset(self.to_label.values())

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset((*self.to_label, *self.unused_classes))

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


def _label(name: str, rules: tuple[Rule, ...], aliases: Aliases) -> str | None:
    """Return the label of a class, or else of the first of its other names that has one."""
    found = (_find(one, rules) for one in (name, *aliases.get(name, ())))
    return next((label for label in found if label), None)


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

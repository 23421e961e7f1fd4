"""Maps the classes of a model to the labels of a control tag."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from shared.backend.label_names import LabelsByName, label_attributes, own_names, predicted_values
from shared.label_studio.label_config import Control

# Other names under which a class is commonly known: {"PER": ["Person", "People"]}.
Aliases = Mapping[str, Iterable[str]]
NO_ALIASES: Aliases = MappingProxyType({})
# Labels by the names that refer to them: as written, and folded.
MatchRule = tuple[LabelsByName, LabelsByName]
# More classes than any fixed list has (ImageNet-21k: 21,841). Only a model that answers in free
# text reaches this number; its map then starts again.
MAX_CLASSES = 50_000


@dataclass(frozen=True)
class LabelMap:
    """Which class becomes which label, and what remains on either side.

    `to_label` maps a model's class to the label as it stands in results; one of several nested
    choices of one name is called by its path, "A/B". `ambiguous` maps labels of which a class
    may mean each, and so means none, to the first class that does. How one class maps does
    not depend on which others there are, so a map can grow by classes that come later.
    """

    control: Control
    to_label: Mapping[str, str]
    unused_classes: tuple[str, ...]
    unfilled_labels: tuple[str, ...]
    ambiguous: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    _rules: tuple[MatchRule, ...] = field(default=(), repr=False)

    @classmethod
    def build(
        cls, control: Control, classes: Iterable[str], aliases: Aliases = NO_ALIASES
    ) -> "LabelMap":
        """Match classes to labels.

        A class goes, in this order, to the label that lists it in `predicted_values`, that is
        written exactly so (as alias or value), that is written so but for case, white space,
        hyphens and underscores, or that is a common other name of it.
        """
        rules = _rules_of(control)
        empty = cls(
            control, MappingProxyType({}), (), tuple(label_attributes(control)), _rules=rules
        )
        return empty.extended_by(classes, aliases)

    def extended_by(self, classes: Iterable[str], aliases: Aliases = NO_ALIASES) -> "LabelMap":
        """Return a map that has these classes, too.

        Of more than MOST_CLASSES in all only these are kept.
        """
        new = [name for name in dict.fromkeys(classes) if name not in self.known_classes]
        if not new:
            return self
        if len(self.known_classes) + len(new) > MAX_CLASSES and self.known_classes:
            return self.build(self.control, classes, aliases)
        found = {name: _matching_labels(name, self._rules, aliases) for name in new}
        to_label = dict(self.to_label)
        to_label |= {name: labels[0] for name, labels in found.items() if len(labels) == 1}
        filled = frozenset(to_label.values())
        ambiguous = dict(self.ambiguous)
        for name, labels in found.items():
            if len(labels) > 1:
                ambiguous.setdefault(labels, name)
        return LabelMap(
            self.control,
            MappingProxyType(to_label),
            (*self.unused_classes, *(name for name in new if name not in to_label)),
            tuple(label for label in self.unfilled_labels if label not in filled),
            ambiguous,
            self._rules,
        )

    @cached_property
    def filled_labels(self) -> frozenset[str]:
        """The labels that a class maps to."""
        return frozenset(self.to_label.values())

    @cached_property
    def known_classes(self) -> frozenset[str]:
        """The classes that have been looked up, with a label or without."""
        return frozenset((*self.to_label, *self.unused_classes))

    def to_text(self) -> str:
        """Return the mapping in one line, for the log."""
        pairs = ", ".join(
            name if name == label else f"{name} → {label}" for name, label in self.to_label.items()
        )
        parts = [pairs or "no class of the model has a label"]
        if self.unfilled_labels:
            parts.append(f"labels without a class: {_join_some(self.unfilled_labels)}")
        if self.unused_classes:
            parts.append(f"classes without a label: {_join_some(self.unused_classes)}")
        return f"{self.control}: " + "; ".join([*parts, *self.ambiguity_notes()])

    def ambiguity_notes(self) -> list[str]:
        """Return for each ambiguous name how to choose one of its labels."""
        return [
            f'"{name}" may be {" or ".join(labels)}: it goes to the one that has it in'
            " predicted_values; an alias for one of them, or a class that is named by the whole"
            " path, decides too"
            for labels, name in self.ambiguous.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the mapping for /status."""
        return {
            "control": self.control.name,
            "labels": dict(self.to_label),
            "unfilled_labels": list(self.unfilled_labels),
            "unused_classes": list(self.unused_classes),
        }


def fold_name(name: str) -> str:
    """Return a name without case, white space, hyphens and underscores, for comparing."""
    return "".join(name.casefold().replace("-", " ").replace("_", " ").split())


def _rules_of(control: Control) -> tuple[MatchRule, ...]:
    """Return the rules of a control tag; those of the last call if it has the same labels.

    A task's labels are often those of several control tags: their rules are made once.
    """
    global _last
    labels, rules = _last
    if labels is not control.labels or control.has_nested_choices:
        rules = _with_folded(predicted_values(control)), _with_folded(own_names(control))
        if control.labels_from_task and not control.has_nested_choices:
            _last = control.labels, rules
    return rules


_last: tuple[Mapping[str, Mapping[str, str]], tuple[MatchRule, ...]] = {}, ()


def _with_folded(names: LabelsByName) -> MatchRule:
    """Return the labels by name and by folded name; of equal folded names the first counts."""
    return names, {fold_name(name): labels for name, labels in reversed(list(names.items()))}


def _matching_labels(name: str, rules: tuple[MatchRule, ...], aliases: Aliases) -> tuple[str, ...]:
    """Return the label of a class, or of the first of its other names that has one.

    Several where a name means several labels and nothing else decides; none if there is none.
    """
    several: tuple[str, ...] = ()
    for one in (name, *aliases.get(name, ())):
        for exact, loose in rules:
            found = exact.get(one) or loose.get(fold_name(one), ())
            if len(found) == 1:
                return found
            several = several or found
    return several


def _join_some(names: tuple[str, ...], limit: int = 12) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more

"""What the editor would show of an answer: `visibleWhen`, obeyed before regions are built."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.backend import Control
from shared.label_studio.control_tag import Condition


@dataclass(frozen=True)
class ShownRegion:
    """A region that per-region control tags describe: who draws it, its labels, and its role."""

    drawn_by: str
    labels: Collection[str] = ()
    role: str = ""


@dataclass(frozen=True)
class Visibility:
    """Which control tags the editor shows beside an answer.

    - `controls`: those that are answered, by name; whatever depends on another tag is shown, since
      nobody here knows what is chosen there
    - `chosen`: the names chosen in each of them (see `chosen_names`)
    - `region`: the region that is described, for control tags with `perRegion`
    """

    controls: Mapping[str, Control]
    chosen: Mapping[str, Collection[str]] = field(default_factory=dict)
    region: ShownRegion | None = None

    def shows(self, control: Control) -> bool:
        """Return whether all conditions hold under which the editor shows a control tag."""
        if control.name in self.controls:
            return control.name in self._shown
        return self._shows(control, self._shown)

    @cached_property
    def _shown(self) -> frozenset[str]:
        """The names of the control tags that are shown; none of those that wait for each other.

        Each round shows what hangs on those of the round before. Where conditions contradict each
        other and so rounds come and go, what is in both is shown.
        """
        before, shown = frozenset[str](), frozenset[str]()
        for _ in range(len(self.controls) + 1):
            before = shown
            shown = frozenset(c.name for c in self.controls.values() if self._shows(c, before))
            if shown == before:
                break
        return shown & before

    def _shows(self, control: Control, shown: frozenset[str]) -> bool:
        return all(self._holds(condition, control, shown) for condition in control.conditions)

    def _holds(self, condition: Condition, control: Control, shown: frozenset[str]) -> bool:
        if condition.when.startswith("choice-"):
            chosen = self._is_chosen(condition, shown - {control.name})
            return True if chosen is None else chosen == (condition.when == "choice-selected")
        if condition.when == "region-selected" and control.per_region and self.region:
            return _fits(condition, self.region)
        return True

    def _is_chosen(self, condition: Condition, shown: frozenset[str]) -> bool | None:
        """Return whether what a condition names is chosen; None if that is not known."""
        if not condition.tag_name:
            return any(
                self._is_chosen_in(other, condition, shown)
                for other in self.controls.values()
                if other.tag == "Choices"
            )
        other = self.controls.get(condition.tag_name)
        return None if other is None else self._is_chosen_in(other, condition, shown)

    def _is_chosen_in(self, other: Control, condition: Condition, shown: frozenset[str]) -> bool:
        chosen = self.chosen.get(other.name, ())
        if not chosen or other.name not in shown:
            return False
        return not condition.choices or any(name in chosen for name in condition.choices)


def _fits(condition: Condition, region: ShownRegion) -> bool:
    if condition.tag_name and condition.tag_name != region.drawn_by:
        return False
    if condition.labels:
        return any(label in region.labels for label in condition.labels)
    return not condition.roles or region.role in condition.roles


def chosen_names(control: Control, names: Collection[Any]) -> frozenset[str]:
    """Return chosen labels under all their names: conditions may say the value or the alias.

    Of a path the last part counts.
    """
    last = (name[-1] if isinstance(name, tuple | list) and name else name for name in names)
    known = {name for name in last if isinstance(name, str)}
    values = {control.labels[name].get("value", name) for name in known & control.labels.keys()}
    return frozenset(known | values)

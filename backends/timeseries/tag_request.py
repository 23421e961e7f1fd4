"""What control tags ask of a series: which method finds each label, choice and rating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backends.timeseries.words import QUALITIES, Method, label_methods, methods_around
from shared.backend import Control

Methods = tuple[Method, ...]


@dataclass(frozen=True)
class TagRequest:
    """Which methods a claim's control tags ask for.

    - `labels`: those that find each label or choice of the first control tag; none for a label
      that only a trained model can tell
    - `choices`: by each per-region Choices tag, the choice for what a method found
    - `rates`: whether the quality of the signal is asked for
    """

    labels: Mapping[str, Methods] = field(default_factory=dict)
    choices: Mapping[str, Mapping[Method, str]] = field(default_factory=dict)
    rates: bool = False

    @property
    def methods(self) -> Methods:
        """All methods, each once."""
        found = [method for methods in self.labels.values() for method in methods]
        return tuple(dict.fromkeys(found))

    @classmethod
    def of_controls(cls, controls: Sequence[Control]) -> "TagRequest":
        """Read the control tags of a claim: the first one, and those about its regions."""
        control, *others = controls
        if control.tag == "Rating":
            return cls(rates=_asks_for_quality(control))
        labels: dict[str, Methods] = {
            label: (method,) for label, method in label_methods(control).items()
        }
        choices = {
            one.name: {method: choice for choice, method in label_methods(one).items()}
            for one in others
            if one.tag == "Choices"
        }
        rates = any(QUALITIES[0] in one or QUALITIES[2] in one for one in choices.values())
        rates = rates or any(_asks_for_quality(one) for one in others)
        if not labels and len(control.labels) == 1:
            methods = _methods_for_region(control, choices, rates)
            labels = {next(iter(control.labels)): methods} if methods else {}
        return cls(labels, choices, rates)


def _methods_for_region(
    control: Control, choices: Mapping[str, Mapping[Method, str]], rates: bool
) -> Methods:
    """Return the methods for a single label, such as "Region", that names none itself.

    They are those of the choices about each region, or of the words around the tag.
    """
    found = tuple(dict.fromkeys(method for one in choices.values() for method in one))
    if found:
        return found
    around = methods_around(control)
    if around is not None:
        return (around,)
    return QUALITIES if rates else ()


def _asks_for_quality(control: Control) -> bool:
    return control.tag == "Rating" and methods_around(control) in QUALITIES

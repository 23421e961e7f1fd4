"""Turns the scores of a model's classes into the value of a control tag."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.backend.claim import Claim
from shared.backend.label_names import leaf_paths, value_path
from shared.label_studio.label_config import Control

# Least score of a choice, if neither the backend's `options` nor the control tag gives one.
SCORE_THRESHOLD = 0.5


class SelectedChoices(NamedTuple):
    """The value of a control tag, and the highest score of what it consists of."""

    answer: Any
    score: float


def allows_several(control: Control) -> bool:
    """Return whether more than one class may be chosen."""
    if control.tag == "Taxonomy":
        return control.attrs.get("maxUsages", "").strip() != "1"
    return control.attrs.get("choice") == "multiple"


def class_names(control: Control) -> tuple[str, ...]:
    """Return the names to ask a zero-shot model for: the choices, or the leaves of nested ones.

    Of nested choices with equal names each is named by its path.
    """
    if not control.has_nested_choices:
        found = (str(attrs.get("value") or label) for label, attrs in control.labels.items())
        return tuple(dict.fromkeys(found))
    paths = leaf_paths(control).values()
    values = [str(control.paths[path].get("value") or path[-1]) for path in paths]
    alike = Counter(values)
    return tuple(
        value if alike[value] == 1 else value_path(control, path)
        for value, path in zip(values, paths, strict=True)
    )


def select_choices(scores: Mapping[str, float], claim: Claim, one: bool) -> SelectedChoices | None:
    """The surest class, or all above the threshold where several may be chosen.

    `one`: the classes exclude each other; then those that share a label add up, and a surest
    class without a label means that no label fits. UnfillableError if no class that the model
    has answered so far has one.
    """
    if not scores and claim.control.labels:
        return None
    labels = claim.labels_for(scores)
    totals: dict[str, float] = {}
    for name, score in scores.items():
        label = labels.get(name)
        if label is not None:
            before = totals.get(label, 0.0)
            totals[label] = before + score if one else max(before, score)
    left = max((score for name, score in scores.items() if name not in labels), default=0.0)
    threshold = _threshold(claim)
    chosen = sorted((-score, label) for label, score in totals.items() if score >= threshold)
    if not allows_several(claim.control):
        chosen = [pair for pair in chosen[:1] if not one or -pair[0] > left]
    if not chosen:
        return None
    found = [label for _, label in chosen]
    shown = (
        [_path(claim.control, label) for label in found]
        if claim.control.has_nested_choices
        else found
    )
    return SelectedChoices(shown, min(1.0, -chosen[0][0]))


def _threshold(claim: Claim) -> float:
    """Return the claim's option, or what the control tag says where the backend has none."""
    if "score_threshold" in claim.options:
        return float(claim.options["score_threshold"])
    return claim.control.get_number("model_score_threshold", SCORE_THRESHOLD, low=0, high=1)


def _path(control: Control, label: str) -> list[str]:
    """The way to a nested choice, which `choice_paths` names so."""
    return list(control.choice_paths.get(label, (label,)))

"""Checks references to other regions: relations and parents."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.label_studio.label_config import LabelConfig
from shared.results.validation.finding import RuleViolation, Value, quote, suggest_name

DIRECTIONS = ("left", "right", "bi")


def link_problems(
    config: LabelConfig, result: Value, seen: Mapping[str, Any]
) -> Iterator[RuleViolation]:
    """Check a relation or a parent; `seen` holds the ids of all regions."""
    if result.get("type") == "relation":
        yield from _relation_problems(config, result, seen)
        return
    parent = result.get("parentID")
    if isinstance(parent, str) and parent not in seen:
        what = f'"parentID" is {quote(parent)}, there is no such region'
        yield RuleViolation("unknown_region", what + suggest_name(parent, seen), "warning")


def _relation_problems(
    config: LabelConfig, result: Value, seen: Mapping[str, Any]
) -> Iterator[RuleViolation]:
    for key in ("from_id", "to_id"):
        name = result.get(key)
        if not isinstance(name, str):
            what = f'relation: "{key}" is {quote(name)}, expected a region\'s id'
            yield RuleViolation("missing_key", what)
        elif name not in seen:
            what = f'relation: "{key}" is {quote(name)}, there is no such region'
            yield RuleViolation("unknown_region", what + suggest_name(name, seen))
    direction = result.get("direction", "right")
    if direction not in DIRECTIONS:
        what = f'relation: "direction" is {quote(direction)}, expected left, right or bi'
        yield RuleViolation("direction", what)
    yield from _relation_label_problems(config, result.get("labels"))


def _relation_label_problems(config: LabelConfig, found: Any) -> Iterator[RuleViolation]:
    if found is None:
        return
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        what = f'relation: "labels" is {quote(found)}, expected a list of strings'
        yield RuleViolation("not_a_list", what)
        return
    known = config.relation_labels
    for name in found:
        if name not in known:
            remedy = (
                suggest_name(name, known) if known else "; the label config has no Relations tag"
            )
            yield RuleViolation(
                "unknown_label", f"relation: there is no label {quote(name)}{remedy}"
            )

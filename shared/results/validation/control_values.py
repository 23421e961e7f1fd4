"""Checks the value of a control tag: its labels, choices, text, number and so on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.errors import ConfigError
from shared.label_studio.label_config import Control
from shared.results.region import time_format
from shared.results.validation.finding import (
    Problems,
    RuleViolation,
    Value,
    is_number,
    matches_format,
    quote,
    suggest_name,
)
from shared.results.validation.image_shapes import Check


def labels_check(control: Control, of: Sequence[Control], needed: bool = True) -> Check:
    """Return a check for a list of labels of the control tags `of`, by alias or value."""
    key = control.value_key
    known = [label for other in of for label in other.labels]
    names = frozenset(known) | {attrs.get("value", "") for attrs in control.labels.values()}
    free = any(c.dynamic for c in of) or not (names or any(c.labels_from_task for c in of))
    empty = not needed or control.get_flag("allowEmpty")

    def check(value: Value, result: Value) -> Problems:
        found = value.get(key)
        if type(found) is list and found:
            for name in found:
                if type(name) is not str or not (free or name in names):
                    return list(_label_problems(control, found, names, free))
            return ()
        if found is None and not needed:
            return ()
        if found == [] and empty:
            return ()
        return [_label_list_problem(control, key, value)]

    return check


def _label_problems(
    control: Control, found: list[Any], names: frozenset[str], free: bool
) -> Iterator[RuleViolation]:
    for name in found:
        if not isinstance(name, str):
            yield RuleViolation("not_a_string", f"{quote(name)} is no label, expected a string")
        elif not free and name not in names:
            what = f"{control} has no label {quote(name)}{_label_source(control)}"
            yield RuleViolation("unknown_label", what + suggest_name(name, control.labels or names))


def _label_source(control: Control) -> str:
    """Return a note that the labels come from the task, if they do."""
    return f" in this task ({control.attrs.get('value', '')})" if control.labels_from_task else ""


def _label_list_problem(control: Control, key: str, value: Value) -> RuleViolation:
    found = value.get(key)
    others = [other for other in value if other != key and other.endswith(("labels", "choices"))]
    if found is None:
        remedy = f'; it has "{others[0]}" instead' if others else ""
        return RuleViolation("missing_key", f'"{key}" is missing{remedy}')
    if found == []:
        return RuleViolation("no_label", f'"{key}" is empty, expected at least one label')
    return RuleViolation("not_a_list", f'"{key}" is {quote(found)}, expected a list of labels')


def choices_check(control: Control) -> Check:
    """Check a list of choices; a nested one is the list of names from the outermost on."""
    one = control.attrs.get("choice", "single") == "single"
    good = _nested_choice_problems if control.has_nested_choices else _choice_problems

    def check(value: Value, result: Value) -> Problems:
        found = value.get("choices")
        if not isinstance(found, list) or not found:
            return [_label_list_problem(control, "choices", value)]
        problems = [problem for name in found for problem in good(control, name, found)]
        if one and len(found) > 1:
            what = f"{control} takes one choice, found {quote(found)}"
            problems.append(RuleViolation("too_many_choices", what, "warning"))
        return problems

    return check


def _choice_problems(control: Control, name: Any, chosen: list[Any]) -> Iterator[RuleViolation]:
    if isinstance(name, list) and len(name) == 1:
        remedy = f"{quote(name)} is a list, expected {quote(name[0])}, for want of allowNested"
        yield RuleViolation("not_a_string", remedy)
    elif not isinstance(name, str):
        yield RuleViolation("not_a_string", f"{quote(name)} is no choice, expected a string")
    elif (name,) not in control.paths and not control.dynamic:
        top = [label for label in control.labels if (label,) in control.paths]
        aliases = [label for label in top if control.labels[label].get("value") == name]
        what = f"{control} has no choice {quote(name)}{_label_source(control)}"
        yield RuleViolation("unknown_label", what + suggest_name(next(iter(aliases), name), top))


def _nested_choice_problems(
    control: Control, name: Any, chosen: list[Any]
) -> Iterator[RuleViolation]:
    """Check a path. One to an inner node is displayed only if all choices below it are chosen."""
    problems = list(_path_problems(control, name))
    yield from problems
    if problems:
        return
    size = len(name)
    inside = (path for path in control.paths if len(path) > size and list(path[:size]) == name)
    if any(list(path) not in chosen for path in inside):
        what = f"{quote(name)} has choices inside it; the editor shows only those"
        yield RuleViolation("inner_choice", what)


def taxonomy_check(control: Control) -> Check:
    """Check a list of paths, each a list of names."""

    def check(value: Value, result: Value) -> Problems:
        found = value.get("taxonomy")
        if not isinstance(found, list) or not found:
            return [_label_list_problem(control, "taxonomy", value)]
        return [problem for path in found for problem in _path_problems(control, path)]

    return check


def _path_problems(control: Control, path: Any) -> Iterator[RuleViolation]:
    if not isinstance(path, list) or not path or not all(isinstance(part, str) for part in path):
        remedy = f"; write [{quote(path)}]" if isinstance(path, str) else ""
        what = f"{quote(path)} is no path, expected a list of names{remedy}"
        yield RuleViolation("not_a_list", what)
    elif not control.dynamic and tuple(path) not in control.paths:
        step = next(
            part for end, part in enumerate(path, 1) if tuple(path[:end]) not in control.paths
        )
        depth = path.index(step)
        siblings = [known[-1] for known in control.paths if known[:-1] == tuple(path[:depth])]
        what = f"{control} has no {quote(step)} at the path {quote(path)}{_label_source(control)}"
        yield RuleViolation("unknown_label", what + suggest_name(step, sorted(siblings)))


def rating_check(control: Control) -> Check:
    """Check a whole number of stars."""
    most = _attribute_bound(control, "maxRating", 5)

    def check(value: Value, result: Value) -> Problems:
        found = value.get("rating")
        if found is None:
            return [RuleViolation("missing_key", '"rating" is missing')]
        if not is_number(found):
            return [RuleViolation("not_a_number", f'"rating" is {quote(found)}, expected a number')]
        if found != int(found) or not 1 <= found <= most:
            what = f'"rating" is {quote(found)}, expected a whole number from 1 to {most:g}'
            return [RuleViolation("out_of_range", what)]
        return ()

    return check


def number_check(control: Control) -> Check:
    """Check a number from `min` to `max`."""
    low, high = (
        _attribute_bound(control, "min", float("-inf")),
        _attribute_bound(control, "max", float("inf")),
    )

    def check(value: Value, result: Value) -> Problems:
        found = value.get("number")
        if found is None:
            return [RuleViolation("missing_key", '"number" is missing')]
        if not is_number(found):
            what = f'"number" is {quote(found)}, expected a finite number'
            return [RuleViolation("not_a_number", what)]
        if not low <= found <= high:
            what = f'"number" is {quote(found)}, {control} takes {low:g} to {high:g}'
            return [RuleViolation("out_of_range", what)]
        return ()

    return check


def _attribute_bound(control: Control, key: str, default: float) -> float:
    try:
        return control.get_number(key, default, float("-inf"), float("inf"))
    except ConfigError:
        return default


def date_time_check(control: Control) -> Check:
    """Check a date or time in the tag's `format`."""
    written = time_format(control)

    def check(value: Value, result: Value) -> Problems:
        found = value.get("datetime")
        if not isinstance(found, str):
            return [
                RuleViolation("missing_key", f'"datetime" is {quote(found)}, expected a string')
            ]
        if matches_format(found, written):
            return ()
        what = f'"datetime" is {quote(found)}, expected the format {written}'
        return [RuleViolation("wrong_format", what)]

    return check


def text_area_check(control: Control) -> Check:
    """Check a list of texts."""

    def check(value: Value, result: Value) -> Problems:
        found = value.get("text")
        if type(found) is list and found and all(type(text) is str for text in found):
            return ()
        if found is None:
            return [RuleViolation("missing_key", '"text" is missing')]
        if isinstance(found, str):
            remedy = f'"text" is a string, expected a list; write [{quote(found)}]'
            return [RuleViolation("not_a_list", remedy, "warning")]
        return [
            RuleViolation("not_a_list", f'"text" is {quote(found)}, expected a list of strings')
        ]

    return check


def pairwise_check(control: Control) -> Check:
    """Check which of the two sides is chosen."""

    def check(value: Value, result: Value) -> Problems:
        found = value.get("selected")
        if found in ("left", "right"):
            return ()
        return [
            RuleViolation("selected", f'"selected" is {quote(found)}, expected "left" or "right"')
        ]

    return check


def ranker_check(control: Control) -> Check:
    """Check item ids by bucket; without buckets they stand under the tag's own name."""
    buckets = control.buckets or (control.name,)

    def check(value: Value, result: Value) -> Problems:
        found = value.get("ranker")
        if not isinstance(found, Mapping):
            what = f'"ranker" is {quote(found)}, expected {{bucket: [item ids]}}'
            return [RuleViolation("not_an_object", what)]
        problems = []
        for bucket, items in found.items():
            if bucket not in buckets and bucket != "_":
                what = f"{control} has no bucket {quote(bucket)}"
                problems.append(
                    RuleViolation("unknown_label", what + suggest_name(str(bucket), buckets))
                )
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                what = f"bucket {quote(bucket)} is {quote(items)}, expected a list of item ids"
                problems.append(RuleViolation("not_a_list", what))
        return problems

    return check


# Checks by result type. All types that end with `labels` have a value of `labels`.
VALUE_CHECKS: Mapping[str, Callable[[Control], Check]] = {
    "choices": choices_check,
    "taxonomy": taxonomy_check,
    "rating": rating_check,
    "number": number_check,
    "datetime": date_time_check,
    "textarea": text_area_check,
    "pairwise": pairwise_check,
    "ranker": ranker_check,
}

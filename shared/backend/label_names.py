"""The names by which a model's class may refer to a label of a control tag."""

from collections.abc import Iterable, Iterator, Mapping

from shared.label_studio.label_config import ChoicePath, Control

# The labels that each name may refer to; if there are several, the name is ambiguous.
LabelsByName = Mapping[str, tuple[str, ...]]


def label_attributes(control: Control) -> Mapping[str, Mapping[str, str]]:
    """Return the attributes of each label; nested choices have the names of `choice_paths`."""
    if not control.has_nested_choices:
        return control.labels
    return {label: control.paths[path] for label, path in control.choice_paths.items()}


def predicted_values(control: Control) -> LabelsByName:
    """Return the names that labels list in `predicted_values`."""
    return _group_by_name(
        (value.strip(), label)
        for label, attrs in label_attributes(control).items()
        for value in attrs.get("predicted_values", "").split(",")
    )


def own_names(control: Control) -> LabelsByName:
    """Return the labels' own names: the alias, or else the value.

    Nested choices are also named by the path to them; of two that are named alike, one with
    choices inside it stands back.
    """
    found: dict[str, tuple[str, ...]] = {}
    for names in _names_by_rank(control):
        found |= _group_by_name(names)
    return found


def _names_by_rank(control: Control) -> Iterator[Iterable[tuple[str, str]]]:
    """Yield groups of (name, label); a later group overrides an earlier one."""
    labels = label_attributes(control)
    if not control.has_nested_choices:
        yield ((attrs.get("value", ""), label) for label, attrs in labels.items())
        yield ((label, label) for label in labels)
        return
    leaves = leaf_paths(control)
    inner = {label: path for label, path in control.choice_paths.items() if label not in leaves}
    for paths in (inner, leaves):
        yield ((value_path(control, path), label) for label, path in paths.items())
        yield (("/".join(path), label) for label, path in paths.items())
    for paths in (inner, leaves):
        yield ((labels[label].get("value", ""), label) for label in paths)
    for paths in (inner, leaves):
        yield ((path[-1], label) for label, path in paths.items())


def leaf_paths(control: Control) -> dict[str, ChoicePath]:
    """Return the paths to the nested choices that have none inside."""
    inner = {path[:-1] for path in control.paths}
    return {label: path for label, path in control.choice_paths.items() if path not in inner}


def value_path(control: Control, path: ChoicePath) -> str:
    """Return the values on the way to a nested choice, joined by "/"."""
    parts = (path[: end + 1] for end in range(len(path)))
    return "/".join(control.paths[part].get("value") or part[-1] for part in parts)


def _group_by_name(pairs: Iterable[tuple[str, str]]) -> LabelsByName:
    found: dict[str, dict[str, None]] = {}
    for name, label in pairs:
        if name:
            found.setdefault(name, {})[label] = None
    return {name: tuple(labels) for name, labels in found.items()}

"""Finds backends by name, and tells which of them can run here."""

import difflib
from collections.abc import Iterable, Sequence

from shared.backend.base import Backend
from shared.backend.discovery import discover, load_folder
from shared.errors import SettingError


def find_backends() -> dict[str, type[Backend]]:
    """Return all backend classes by name, including those whose packages are missing."""
    return discover().classes


def find_backend(name: str) -> type[Backend] | None:
    """Return the backend class of a name; None if there is none, or only a faulty one.

    A folder of ours is imported without the others.
    """
    return load_folder(name) or find_backends().get(name)


def faulty_backends() -> dict[str, str]:
    """Return by name why folders and entry points provide no backend."""
    return discover().faults


def choose_backends(names: Iterable[str]) -> list[type[Backend]]:
    """Return the classes of those names, in their order; all classes if there are no names.

    A name may include its model, `ner:dslim/bert-base-NER`, so that one backend can run several.
    """
    wanted = [name.partition(":") for name in names]
    if not wanted:
        return list(find_backends().values())
    found = {name: cls for name, _, _ in wanted if (cls := find_backend(name)) is not None}
    unknown = [name for name, _, _ in wanted if name not in found]
    if unknown:
        known = find_backends()
        described = dict.fromkeys(_describe_unknown(name, known) for name in unknown)
        raise SettingError("; ".join(described))
    return [found[name].with_model(model) if model else found[name] for name, _, model in wanted]


def _describe_unknown(name: str, found: Iterable[str]) -> str:
    """Return why no backend has that name, and what to use instead."""
    fault = faulty_backends().get(name)
    if fault is not None:
        return fault
    close = difflib.get_close_matches(name.lower(), found, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    message = f"Unknown backend {name}.{hint} Available: {', '.join(found)}"
    if "/" in name or "." in name:
        message += ". To serve a class in a file, give path/to/model.py:MyModel"
    return message


def group_by_prediction(classes: Iterable[type[Backend]]) -> list[list[type[Backend]]]:
    """Return the backends of each prediction that a task gets.

    All backends make one prediction together. If a backend comes with several models, each model
    after the first makes a prediction of its own.
    """
    groups: list[list[type[Backend]]] = [[]]
    for cls in dict.fromkeys(classes):
        number = sum(cls.name in {other.name for other in group} for group in groups)
        if number == len(groups):
            groups.append([])
        groups[number].append(cls)
    return groups


def split_available(classes: Sequence[type[Backend]]) -> tuple[list[type[Backend]], dict[str, str]]:
    """Return the classes that can run here, and by name why the others cannot."""
    problems = {
        cls.name: problem for cls in classes if (problem := cls.unavailable_reason()) is not None
    }
    return [cls for cls in classes if cls.name not in problems], problems

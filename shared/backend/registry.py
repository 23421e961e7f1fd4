"""Chooses backends by their names, and says which of them can run here."""

import difflib
from collections.abc import Iterable, Sequence

from shared.backend.base import Backend
from shared.backend.discovery import discover
from shared.errors import SettingError


def find_backends() -> dict[str, type[Backend]]:
    """Return all backend classes by name, those whose packages are missing included."""
    return discover().classes


def faulty_backends() -> dict[str, str]:
    """Return why folders and entry points give no backend, by their names."""
    return discover().faults


def choose_backends(names: Iterable[str]) -> list[type[Backend]]:
    """The classes of those names, in their order; all of them if none is named.

    A name may say its model, `ner:dslim/bert-base-NER`: so one backend can go with several.
    """
    found = find_backends()
    wanted = [name.partition(":") for name in names]
    unknown = [_describe_unknown(name, found) for name, _, _ in wanted if name not in found]
    if unknown:
        raise SettingError("; ".join(dict.fromkeys(unknown)))
    chosen = [found[name].with_model(model) if model else found[name] for name, _, model in wanted]
    return chosen or list(found.values())


def _describe_unknown(name: str, found: Iterable[str]) -> str:
    """Why no backend has that name, and what helps."""
    fault = faulty_backends().get(name)
    if fault is not None:
        return fault
    close = difflib.get_close_matches(name.lower(), found, 1)
    hint = f"; did you mean {close[0]}?" if close else "."
    words = f"There is no backend {name}{hint} There are: {', '.join(found)}"
    if "/" in name or "." in name:
        words += ". A class in a file is served as path/to/model.py:MyModel"
    return words


def group_by_prediction(classes: Iterable[type[Backend]]) -> list[list[type[Backend]]]:
    """The backends of each prediction of a task: one prediction, unless some come twice.

    Of a backend that is there with several models, the first makes a prediction together with
    the other backends, each further one another.
    """
    groups: list[list[type[Backend]]] = [[]]
    for cls in dict.fromkeys(classes):
        place = sum(cls.name in {other.name for other in group} for group in groups)
        if place == len(groups):
            groups.append([])
        groups[place].append(cls)
    return groups


def split_available(classes: Sequence[type[Backend]]) -> tuple[list[type[Backend]], dict[str, str]]:
    """Those that can run here, and why the others cannot."""
    problems = {
        cls.name: problem for cls in classes if (problem := cls.unavailable_reason()) is not None
    }
    return [cls for cls in classes if cls.name not in problems], problems

"""Finds the backends: folders of `backends/`, and what installed packages offer."""

import importlib
import logging
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import entry_points

from shared.backend import Backend
from shared.errors import SettingError

logger = logging.getLogger(__name__)

PACKAGE = "backends"
ENTRY_POINTS = "prelabel.backends"
"""The group of entry points under which another package names its backend classes."""


@lru_cache(maxsize=1)
def find_backends() -> dict[str, type[Backend]]:
    """All backend classes by name, those whose packages are missing included.

    Those of other packages come after ours, and cannot take the place of one.
    """
    found: dict[str, type[Backend]] = {}
    for entry in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        module = importlib.import_module(f"{PACKAGE}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Backend) and value is not Backend:
                found[value.name] = value
    for cls in _offered():
        found.setdefault(cls.name, cls)
    return found


def _offered() -> Iterator[type[Backend]]:
    for point in entry_points(group=ENTRY_POINTS):
        try:
            cls = point.load()
        except Exception as error:  # another package may raise anything
            logger.warning(
                "%s cannot be imported: %s: %s", point.value, type(error).__name__, error
            )
            continue
        if isinstance(cls, type) and issubclass(cls, Backend):
            yield cls
        else:
            logger.warning("%s is no Backend", point.value)


def choose_backends(names: Iterable[str]) -> list[type[Backend]]:
    """The classes of those names, in their order; all of them if none is named.

    A name may say its model, `ner:dslim/bert-base-NER`: so one backend can go with several.
    """
    found = find_backends()
    wanted = [name.partition(":") for name in names]
    unknown = [name for name, _, _ in wanted if name not in found]
    if unknown:
        raise SettingError(
            f"There is no backend {', '.join(unknown)}; there are: {', '.join(found)}"
        )
    chosen = [found[name].with_model(model) if model else found[name] for name, _, model in wanted]
    return chosen or list(found.values())


def side_by_side(classes: Iterable[type[Backend]]) -> list[list[type[Backend]]]:
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


def runnable(classes: Sequence[type[Backend]]) -> tuple[list[type[Backend]], dict[str, str]]:
    """Those that can run here, and why the others cannot."""
    problems = {cls.name: problem for cls in classes if (problem := cls.problem()) is not None}
    return [cls for cls in classes if cls.name not in problems], problems

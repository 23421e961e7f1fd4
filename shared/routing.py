"""Finds the backends: whatever folder lies in `backends/` and exports a `Backend`."""

import importlib
import logging
import pkgutil
from collections.abc import Iterable, Sequence
from functools import lru_cache

from shared.backend import Backend
from shared.errors import SettingError

logger = logging.getLogger(__name__)

PACKAGE = "backends"


@lru_cache(maxsize=1)
def find_backends() -> dict[str, type[Backend]]:
    """All backend classes by name, those whose packages are missing included."""
    found: dict[str, type[Backend]] = {}
    for entry in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        module = importlib.import_module(f"{PACKAGE}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Backend) and value is not Backend:
                found[value.name] = value
    return found


def choose_backends(names: Iterable[str]) -> list[type[Backend]]:
    """The classes of those names, in their order; all of them if none is named."""
    found = find_backends()
    wanted = list(names)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise SettingError(
            f"There is no backend {', '.join(unknown)}; there are: {', '.join(found)}"
        )
    return [found[name] for name in wanted] or list(found.values())


def runnable(classes: Sequence[type[Backend]]) -> tuple[list[type[Backend]], dict[str, str]]:
    """Those that can run here, and why the others cannot."""
    problems = {cls.name: problem for cls in classes if (problem := cls.problem()) is not None}
    return [cls for cls in classes if cls.name not in problems], problems

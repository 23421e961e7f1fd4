"""Discovers backend classes: in the folders of `backends/`, and in entry points of other packages.

A faulty one costs only itself: its fault is logged, and shown by /status.
"""

import errno
import importlib
import importlib.util
import inspect
import logging
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from shared.backend.base import Backend
from shared.errors import SettingError

logger = logging.getLogger(__name__)

PACKAGE = "backends"
# The group of entry points under which another package names its backend classes.
ENTRY_POINTS = "prelabel.backends"
# Folders in a path, removed from the messages of other people's errors: messages are public.
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?[/\\][^\s'\"()]*[/\\]")

Classes = dict[str, type[Backend]]


@dataclass(frozen=True)
class Discovery:
    """The classes by name; and what is wrong with others, by folder or entry point."""

    classes: Classes = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def add_fault(self, name: str, error: SettingError) -> None:
        """Record what is wrong with a folder or entry point."""
        logger.warning("%s", error)
        self.faults[name] = str(error)


@lru_cache(maxsize=1)
def discover() -> Discovery:
    """Find all backend classes, once in a process; `discover.cache_clear` lets it look again.

    The classes of other packages come after ours, and cannot take the place of one.
    """
    found = Discovery()
    for entry in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        if not entry.name.startswith("_"):  # what several backends share
            _load_folder(entry.name, found)
    for point in entry_points(group=ENTRY_POINTS):
        try:
            cls = _load_entry_point(point, found)
        except SettingError as error:
            taken = point.name in found.classes or point.name in found.faults
            found.add_fault(point.value if taken else point.name, error)
        else:
            found.classes[cls.name] = cls
    return found


def load_folder(name: str) -> type[Backend] | None:
    """Return the class of a folder of ours; None if there is no such folder, or it is faulty."""
    if not name.isidentifier() or name.startswith("_"):
        return None
    if importlib.util.find_spec(f"{PACKAGE}.{name}") is None:
        return None
    try:
        return _find_class(_import_folder(name), name)
    except SettingError:  # `discover` says what is wrong
        return None


def _load_folder(name: str, found: Discovery) -> None:
    """Load the class of a folder, which has the folder's name."""
    try:
        module = _import_folder(name)
        found.classes[name] = _find_class(module, name)
    except SettingError as error:
        found.add_fault(name, error)
        return
    for cls in _backend_classes(module):
        other = getattr(cls, "name", name)
        if other != name and _is_within(cls, name):
            found.add_fault(f"{name}:{cls.__name__}", SettingError(_describe_misnamed(cls, name)))


def _import_folder(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    except (Exception, SystemExit) as error:  # a folder's code may raise anything
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            raise  # it is no fault of the folder, and may pass
        raise _import_fault(f"{PACKAGE}/{name}", error) from error


def _import_fault(what: str, error: Exception | SystemExit) -> SettingError:
    logger.debug("%s", what, exc_info=error)
    words = _FOLDERS.sub("…/", f"{type(error).__name__}: {error}")
    hint = ""
    if isinstance(error, SystemExit):  # its message is meant for a command line
        words = "it ends the program (SystemExit)"
    if isinstance(error, ModuleNotFoundError):
        hint = f"; import {error.name} in `load` and name it in `modules`, or install it"
    return SettingError(f"{what} cannot be imported: {words}{hint}")


def _backend_classes(module: ModuleType) -> Sequence[type[Backend]]:
    """Return the subclasses of Backend that a module contains, each once."""
    values = [value for value in vars(module).values() if isinstance(value, type)]
    found = [value for value in values if issubclass(value, Backend) and value is not Backend]
    return list(dict.fromkeys(found))


def _is_within(cls: type[Backend], folder: str) -> bool:
    """Return whether a class is defined in a folder, and not only imported there."""
    return f"{cls.__module__}.".startswith(f"{PACKAGE}.{folder}.")


def _find_class(module: ModuleType, name: str) -> type[Backend]:
    """Return the class that has its folder's name; SettingError says why there is none."""
    found = _backend_classes(module)
    named = [cls for cls in found if getattr(cls, "name", None) == name]
    whole = [cls for cls in named if not inspect.isabstract(cls)]
    if len(whole) == 1:
        return whole[0]
    raise SettingError(_describe_missing_class(found, whole or named, name))


def _describe_missing_class(
    found: Sequence[type[Backend]], named: Sequence[type[Backend]], name: str
) -> str:
    folder = f"{PACKAGE}/{name}"
    if len(named) > 1:
        both = " and ".join(cls.__name__ for cls in named)
        return f'{folder}: {both} are both named "{name}"; give each a folder of its own'
    if named:
        return f"{folder}: {_describe_unfinished(named[0])}"
    own = [cls for cls in found if _is_within(cls, name)] or found
    if not own:
        return f"{folder}: its __init__.py imports no subclass of Backend"
    cls = next((cls for cls in own if hasattr(cls, "name")), own[0])
    return _describe_misnamed(cls, name)


def _describe_misnamed(cls: type[Backend], name: str) -> str:
    has = f'is named "{cls.name}"' if hasattr(cls, "name") else "has no name"
    return f'{PACKAGE}/{name}: {cls.__name__} {has}; expected name = "{name}", as its folder'


def _describe_unfinished(cls: type[Backend]) -> str:
    return f"{cls.__name__} lacks {' and '.join(sorted(cls.__abstractmethods__))}"


def _load_entry_point(point: EntryPoint, found: Discovery) -> type[Backend]:
    """Load the class of an entry point; SettingError says why it cannot serve."""
    try:
        cls = point.load()
    except (Exception, SystemExit) as error:  # another package may raise anything
        raise _import_fault(point.value, error) from error
    if not isinstance(cls, type) or not issubclass(cls, Backend):
        raise SettingError(f"{point.value} is not a subclass of Backend")
    if not hasattr(cls, "name"):
        raise SettingError(f"{point.value} has no name")
    if inspect.isabstract(cls):
        raise SettingError(f"{point.value}: {_describe_unfinished(cls)}")
    if cls.name in found.classes or cls.name in found.faults:
        raise SettingError(f'{point.value} is named "{cls.name}", as another backend is already')
    return cls

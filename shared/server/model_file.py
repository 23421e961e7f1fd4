"""The file of a class to be served, path/to/model.py:MyModel: found, imported, its class taken."""

import importlib.metadata
import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.backend.installation import install_extra, install_label_studio_ml_2
from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.backend.registry import find_backends
from shared.errors import SettingError

logger = logging.getLogger(__name__)

LIBRARY = "label_studio_ml"


def is_reference(name: str) -> bool:
    """Whether a name to serve is a file and a class in it, rather than a backend and its model."""
    path, _, _ = name.rpartition(":")
    if name.partition(":")[0] in find_backends():
        return False
    return name.endswith(".py") or path.endswith(".py") or Path(path).expanduser().is_file()


def check_reference(reference: str) -> tuple[Path, str, str]:
    """Return the file, its path as it was given, and the class; SettingError if it is no file."""
    path, _, name = reference.rpartition(":")
    if not path:
        raise SettingError(f"{reference}: which class of it? Expected path/to/model.py:MyModel")
    file = Path(path).expanduser()
    if not file.is_file():
        raise SettingError(f"{path}: there is no such file (expected path/to/model.py:MyModel)")
    return file, path, name


def load_class(reference: str) -> type[Any]:
    """Import the file and return its class; SettingError says in a sentence why there is none."""
    file, path, name = check_reference(reference)
    try:
        module = _imported(file)
    except SettingError:
        raise
    except (Exception, SystemExit) as error:  # somebody else's file may raise anything
        raise SettingError(f"{path} {_import_fault(error)}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type) or not issubclass(found, LabelStudioMLBase):
        raise SettingError(f"{path} has no class {name} that is a LabelStudioMLBase")
    return found


def _imported(file: Path) -> ModuleType:
    """The file's module; one in a package is imported by its name there."""
    root, name = file.resolve().parent, file.stem
    while (root / "__init__.py").is_file():
        root, name = root.parent, f"{root.name}.{name}"
    sys.path.insert(0, str(root))
    if "." in name:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise SettingError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _import_fault(error: Exception | SystemExit) -> str:
    """What keeps a file from being imported, and what helps."""
    if isinstance(error, SystemExit):  # what it says on leaving is for its own command line
        return "cannot be imported: it ends the program (SystemExit) instead of defining the class"
    missing = (error.name or "") if isinstance(error, ImportError) else ""
    installed = _installed(LIBRARY.replace("_", "-"))
    if missing.partition(".")[0] == LIBRARY:
        if installed is None:
            command = install_extra("label-studio-ml")
            return f"needs label-studio-ml, which is not installed: {command}"
        return (
            f"needs more than label-studio-ml {installed}, which is installed ({error}); the 2.x"
            f" line, which no registry has, is installed by {install_label_studio_ml_2()}"
        )
    if isinstance(error, ModuleNotFoundError):
        return f"needs {missing}, which is not installed here"
    logger.error("A model's file cannot be imported", exc_info=error)
    return f"cannot be imported: {type(error).__name__}: {error}"


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

"""Imports the file of a third-party model: `prelabel serve path/to/model.py:MyModel`."""

import importlib.metadata
import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.backend.installation import extra_command, label_studio_ml_2_command
from shared.backend.label_studio_ml import SmallBase, import_base
from shared.backend.registry import find_backend
from shared.errors import SettingError

logger = logging.getLogger(__name__)


def is_reference(name: str) -> bool:
    """Whether a name to serve is a file and a class in it, not a backend and perhaps its model."""
    path, _, _ = name.rpartition(":")
    is_file = name.endswith(".py") or path.endswith(".py") or Path(path).expanduser().is_file()
    return is_file and find_backend(name.partition(":")[0]) is None


def check_reference(reference: str) -> tuple[Path, str, str]:
    """Return the file, its path as it was given, and the class; SettingError if it is no file."""
    path, _, class_name = reference.rpartition(":")
    if not path:
        raise SettingError(f"{reference}: which class of it? Expected path/to/model.py:MyModel")
    file = Path(path).expanduser()
    if not file.is_file():
        raise SettingError(f"{path}: there is no such file (expected path/to/model.py:MyModel)")
    return file, path, class_name


def load_class(reference: str) -> type[Any]:
    """Import the file and return the class; SettingError says in a sentence why that fails."""
    file, path, class_name = check_reference(reference)
    try:
        module = _import_file(file)
    except SettingError:
        raise
    except (Exception, SystemExit) as error:  # third-party code may raise anything
        raise SettingError(f"{path} {_explain_import_error(error)}") from error
    model_class = getattr(module, class_name, None)
    bases = (SmallBase, import_base())  # a backend of ours in a file has the small one
    if not isinstance(model_class, type) or not issubclass(model_class, bases):
        raise SettingError(f"{path} has no class {class_name} that is a LabelStudioMLBase")
    return model_class


def reload_class(reference: str) -> type[Any]:
    """Import the file anew, whose module then has what it had at the start; return the class."""
    file, _, _ = check_reference(reference)
    _, name = _module_name(file)
    sys.modules.pop(name, None)
    return load_class(reference)


def _module_name(file: Path) -> tuple[Path, str]:
    """Return the folder that a file is imported from, and its module's name there."""
    root, name = file.resolve().parent, file.stem
    while (root / "__init__.py").is_file():
        root, name = root.parent, f"{root.name}.{name}"
    return root, name


def _import_file(file: Path) -> ModuleType:
    """Import a file; if it is in a package, under its name there, so that relative imports work."""
    root, name = _module_name(file)
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))
    if "." in name:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise SettingError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _explain_import_error(error: Exception | SystemExit) -> str:
    """Return why a file cannot be imported, and what helps."""
    if isinstance(error, SystemExit):  # its message is meant for the file's own command line
        return "cannot be imported: it ends the program (SystemExit) instead of defining the class"
    missing = (error.name or "") if isinstance(error, ImportError) else ""
    if missing.partition(".")[0] == "label_studio_ml":
        installed = _installed_version("label-studio-ml")
        if installed is None:
            command = extra_command("label-studio-ml")
            return f"needs label-studio-ml, which is not installed: {command}"
        return (
            f"needs more than label-studio-ml {installed}, which is installed ({error}); the 2.x"
            f" line, which no registry has, is installed by {label_studio_ml_2_command()}"
        )
    if isinstance(error, ModuleNotFoundError):
        return f"needs {missing}, which is not installed here"
    logger.error("A model's file cannot be imported", exc_info=error)
    return f"cannot be imported: {type(error).__name__}: {error}"


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

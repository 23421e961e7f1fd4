"""Optional libraries, imported where they are first needed."""

import importlib
from types import ModuleType

from shared.backend.installation import extra_command
from shared.errors import SettingError


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an extra; SettingError with the command that installs it, if it lacks."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").split(".")[0] != module.split(".")[0]:
            raise
        name, command = module.split(".")[0], extra_command(extra)
        raise SettingError(f"{name} is not installed: install the extra, e.g. {command}") from None

"""Optional libraries, imported where they are first needed."""

import importlib
from types import ModuleType

from shared.errors import SettingError


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an extra; SettingError with the command that installs it, if it lacks."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if (error.name or "").split(".")[0] != module.split(".")[0]:
            raise
        raise SettingError(
            f'{module.split(".")[0]} is not installed: pip install "prelabel[{extra}]"'
            f" (in a checkout: make install EXTRAS={extra})"
        ) from None

"""How prelabel is installed here, and the commands that install more of it.

Messages are public, so that commands in them name no folders.
"""

import shlex
import shutil
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

# The 2.x line of label-studio-ml is in no package registry.
LABEL_STUDIO_ML_2 = "git+https://github.com/HumanSignal/label-studio-ml-backend.git"


@cache
def checkout_folder() -> Path | None:
    """Return the folder of this repository, if prelabel runs from one."""
    folder = Path(str(files("backends"))).parent
    project = folder / "pyproject.toml"
    if project.is_file() and 'name = "prelabel"' in project.read_text(encoding="utf-8"):
        return folder
    return None


def program_path(name: str, folder: Path) -> str:
    """Return how a program of this Python's environment is called in a folder."""
    path = Path(sys.executable).with_name(name)
    return shlex.quote(str(path.relative_to(folder) if path.is_relative_to(folder) else path))


def extra_command(extra: str) -> str:
    """Return the command that installs an extra of prelabel into the environment that runs."""
    if checkout_folder() is None:
        return f'{_uv()} pip install "prelabel[{extra}]"'
    return f'{_uv()} pip install -e ".[{extra}]"'


def package_command(requirement: str) -> str:
    """Return the command that installs another package beside prelabel."""
    return f'{_uv()} pip install "{requirement}"'


def label_studio_ml_2_command() -> str:
    """Return the command that installs the 2.x line of label-studio-ml, and where it works.

    That line wants the SDK from a repository: only overrides let uv take what is installed. uv
    reads them from the pyproject.toml of the folder that it runs in.
    """
    command = package_command(f"label-studio-ml @ {LABEL_STUDIO_ML_2}")
    if checkout_folder() is not None:
        return f"{command} in prelabel's own folder, whose pyproject.toml has the overrides for it"
    return (
        f"{command} in a folder whose pyproject.toml has prelabel's override-dependencies, such as"
        " a project that `prelabel new NAME --into FOLDER` has made"
    )


def project_commands(folder: Path) -> list[str]:
    """Return the commands, to be run in a project's folder, that install it with its tests."""
    python = shlex.quote(sys.executable)
    lines = [f"cd {shlex.quote(str(folder))}"]
    uv = program_path("uv", folder)
    if not _uv_path().is_file():
        if shutil.which("uv") is None:
            lines.append(f"{python} -m pip install uv")
        else:
            uv = "uv"
    return [*lines, f'{uv} pip install --python {python} -e ".[dev]"']


def _uv() -> str:
    """Return how uv is called: `make install` puts it into the checkout's environment."""
    folder, path = checkout_folder(), _uv_path()
    if folder is None or not path.is_file() or not path.is_relative_to(folder):
        return "uv"
    return str(path.relative_to(folder))


def _uv_path() -> Path:
    return Path(sys.executable).with_name("uv")

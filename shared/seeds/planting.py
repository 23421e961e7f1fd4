"""A new backend's folder: whether it may be made, making it, and what its example gives."""

import importlib
import importlib.metadata
import importlib.util
import keyword
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.backend import Backend
from shared.discovery import PACKAGE, search
from shared.errors import SettingError
from shared.examples import FILES_ROOT
from shared.routing import find_backends
from shared.seeds.scaffold import Scaffold
from shared.testing import write_expected

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
EXTRAS = "[project.optional-dependencies]\n"

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = [{dependencies}]

[project.entry-points."prelabel.backends"]
{name} = "{name}:{class_name}"

[tool.hatch.build.targets.wheel]
packages = ["{name}"]

[tool.pytest.ini_options]
pythonpath = ["."]
"""
"""Of a project of its own. By the entry point prelabel finds the backend once it is installed."""

TEST = '''\
"""What every backend must hold to."""

from {name} import {class_name}

from shared.testing import Conformance


class Test{class_name}(Conformance):
    backend = {class_name}
'''


def check_name(name: str) -> None:
    """SettingError if no backend can have that name."""
    from shared.server.app import about, router

    paths = {
        str(getattr(route, "path", "")).strip("/") for route in (*router.routes, *about.routes)
    }
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SettingError(
            f'"{name}" cannot be a backend\'s name: small letters, digits and underscores,'
            " a letter first"
        )
    if name in paths | {"docs", "redoc", "test", "tests", "examples"}:
        raise SettingError(f'"{name}" cannot be a backend\'s name: the server has /{name} already')
    if name in find_backends():
        raise SettingError(f'There is a backend "{name}" already')


def plant(scaffold: Scaffold, root: Path) -> Path:
    """Make the folder below `root`, and predict its example; SettingError if it is there."""
    folder = root / scaffold.name
    if folder.exists():
        raise SettingError(f"{folder} exists already; nothing was changed")
    try:
        scaffold.write(folder)
        write_expected(imported(scaffold, root))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def imported(scaffold: Scaffold, root: Path) -> type[Backend]:
    """The class of the folder just made."""
    if scaffold.package == scaffold.name and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    search.cache_clear()
    found = getattr(importlib.import_module(scaffold.package), scaffold.class_name)
    assert isinstance(found, type)
    assert issubclass(found, Backend)
    return found


def checkout() -> Path | None:
    """The folder of this repository, if prelabel runs from one."""
    project = FILES_ROOT.parent / "pyproject.toml"
    if project.is_file() and 'name = "prelabel"' in project.read_text(encoding="utf-8"):
        return FILES_ROOT.parent
    return None


def in_repository(
    name: str, control: str, target: str, requires: Sequence[str], repository: Path
) -> Path:
    """A backend of this repository: its folder, and its extra in pyproject.toml."""
    modules = tuple(module_of(requirement) for requirement in requires)
    package = f"{PACKAGE}.{name}"
    scaffold = Scaffold(name, control, target, package, tuple(requires), modules)
    project = repository / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    if requires and EXTRAS not in text:
        raise SettingError(f"{project} has no {EXTRAS.strip()}")
    folder = plant(scaffold, repository / PACKAGE)
    if requires:
        names = ", ".join(f'"{requirement}"' for requirement in requires)
        project.write_text(text.replace(EXTRAS, f"{EXTRAS}{name} = [{names}]\n", 1), "utf-8")
    return folder


def by_itself(name: str, control: str, target: str, requires: Sequence[str], root: Path) -> Path:
    """A backend outside this repository, with its test and, if there is none, a pyproject.toml."""
    if importlib.util.find_spec(name) is not None:
        raise SettingError(f'"{name}" is a module that is installed already')
    modules = tuple(module_of(requirement) for requirement in requires)
    scaffold = Scaffold(name, control, target, name, tuple(requires), modules)
    test = root / "tests" / f"test_{name}.py"
    if test.exists():
        raise SettingError(f"{test} exists already; nothing was changed")
    folder = plant(scaffold, root)
    names = {"name": name, "class_name": scaffold.class_name}
    test.parent.mkdir(exist_ok=True)
    test.write_text(TEST.format(**names), encoding="utf-8")
    project = root / "pyproject.toml"
    if not project.exists():
        dependencies = ", ".join(f'"{one}"' for one in ("prelabel", *requires))
        project.write_text(PYPROJECT.format(dependencies=dependencies, **names), encoding="utf-8")
    return folder


def module_of(requirement: str) -> str:
    """What a package is imported as: scikit-learn is sklearn, where it is installed."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    plain = re.sub(r"[-_.]+", "-", name).lower()
    for module, packages in importlib.metadata.packages_distributions().items():
        if plain in (re.sub(r"[-_.]+", "-", package).lower() for package in packages):
            return module
    return plain.replace("-", "_")

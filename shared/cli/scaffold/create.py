"""Make the folder of a new backend, in this repository or in a project of its own."""

import importlib
import importlib.util
import json
import keyword
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.backend.base import Backend
from shared.backend.discovery import PACKAGE, discover
from shared.backend.installation import package_command
from shared.backend.registry import find_backends
from shared.cli.scaffold.files import Scaffold
from shared.cli.scaffold.requirements import import_name
from shared.errors import SettingError
from shared.testing import write_expected

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
EXTRAS = "[project.optional-dependencies]\n"
# The templates of a project of its own: its metadata, by whose entry point prelabel finds the
# backend once it is installed, and its test.
PROJECT = Path(__file__).parent / "project"


def check_name(name: str) -> None:
    """Raise SettingError if no backend can have that name."""
    from shared.server.app import ENDPOINTS

    paths = {endpoint.path.strip("/") for endpoint in ENDPOINTS}
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SettingError(
            f'"{name}" cannot be a backend\'s name: use small letters, digits and underscores,'
            " a letter first"
        )
    if name in paths | {"docs", "redoc", "test", "tests", "examples"}:
        raise SettingError(f'"{name}" cannot be a backend\'s name: the server has /{name} already')
    if name in find_backends():
        raise SettingError(f'There is a backend "{name}" already')


@dataclass(frozen=True)
class WantedBackend:
    """What the user asks for: its name, its tags, the packages that it needs."""

    name: str
    control: str
    object: str
    requires: tuple[str, ...] = ()
    trainable: bool = False

    def scaffold(self, module: str) -> Scaffold:
        """Return what is to be made, imported as `module`."""
        modules = tuple(import_name(requirement) for requirement in self.requires)
        return Scaffold(
            self.name, self.control, self.object, module, self.requires, modules, self.trainable
        )


def create_in_repository(wanted: WantedBackend, repository: Path) -> Path:
    """Make a backend of this repository: its folder, and its extra in pyproject.toml."""
    scaffold = wanted.scaffold(f"{PACKAGE}.{wanted.name}")
    project = repository / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    if wanted.requires:
        text = _add_extra(text, wanted.name, wanted.requires)
    folder = create_backend(scaffold, repository / PACKAGE)
    # written last: if the backend cannot be made, nothing is changed
    project.write_text(text, "utf-8")
    return folder


def _add_extra(project: str, name: str, requires: Sequence[str]) -> str:
    """Return the text of pyproject.toml with one more extra; SettingError if it is taken."""
    before, heading, after = project.partition(EXTRAS)
    if not heading:
        raise SettingError(f"pyproject.toml has no {EXTRAS.strip()}")
    if re.search(rf"^{name}\s*=", after.partition("\n[")[0], re.MULTILINE):
        raise SettingError(f'pyproject.toml has an extra "{name}" already: take another name')
    return f"{before}{heading}{name} = {json.dumps(list(requires))}\n{after}"


def create_standalone(wanted: WantedBackend, root: Path) -> Path:
    """Make a backend outside this repository, with its test and, if there is none, a project."""
    name = wanted.name
    if importlib.util.find_spec(name) is not None:
        raise SettingError(f'"{name}" is a module that is installed already')
    scaffold = wanted.scaffold(name)
    test, project = root / "tests" / f"test_{name}.py", root / "pyproject.toml"
    if test.exists():
        raise SettingError(f"{test} exists already; nothing was changed")
    folder = create_backend(scaffold, root)
    test.parent.mkdir(exist_ok=True)
    dependencies = json.dumps(["prelabel", *wanted.requires])
    for file in (test, *([] if project.exists() else [project])):
        template = "pyproject.toml" if file is project else "test_backend.py"
        text = (PROJECT / f"{template}.template").read_text(encoding="utf-8")
        file.write_text(scaffold.fill_template(text, dependencies=dependencies), encoding="utf-8")
    return folder


def create_backend(scaffold: Scaffold, root: Path) -> Path:
    """Make the folder below `root`, and predict its example; SettingError if it exists."""
    folder = root / scaffold.name
    if folder.exists():
        raise SettingError(f"{folder} exists already; nothing was changed")
    _check_requirements(scaffold)
    try:
        scaffold.write_files(folder)
        write_expected(_without_requirements(import_backend(scaffold, root)))
    except BaseException:  # also Ctrl-C: a half-made folder would be in the way next time
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _check_requirements(scaffold: Scaffold) -> None:
    """Raise SettingError if the stand-in itself needs a package that is not installed."""
    for requirement in scaffold.pair.requires:
        if importlib.util.find_spec(import_name(requirement)) is None:
            raise SettingError(
                f"What is made for {scaffold.object} needs {requirement}, which is not installed:"
                f" {package_command(requirement)}"
            )


def _without_requirements(cls: type[Backend]) -> type[Backend]:
    """Return the class without the packages that its model will need, but not the stand-in."""
    return type(cls.__name__, (cls,), {"modules": (), "__module__": cls.__module__})


def import_backend(scaffold: Scaffold, root: Path) -> type[Backend]:
    """Import the class of the folder just made."""
    if scaffold.is_standalone and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    discover.cache_clear()
    backend = getattr(importlib.import_module(scaffold.module), scaffold.class_name)
    assert isinstance(backend, type)
    assert issubclass(backend, Backend)
    return backend

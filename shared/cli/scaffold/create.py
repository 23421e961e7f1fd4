"""A new backend's folder: whether it may be made, making it, and what its example gives."""

import importlib
import importlib.metadata
import importlib.util
import json
import keyword
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.backend.base import Backend
from shared.backend.discovery import PACKAGE, search
from shared.backend.installation import install_package
from shared.backend.registry import find_backends
from shared.backend.testing import write_expected
from shared.cli.scaffold.files import Scaffold
from shared.cli.scaffold.tag_pairs import PAIRS
from shared.errors import SettingError

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
EXTRAS = "[project.optional-dependencies]\n"
# A package's name and what may follow it.
REQUIREMENT = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:$|[\[(<>=!~;@,])")
# Packages whose module has another name, for where they are not installed yet.
IMPORTED_AS = {
    "beautifulsoup4": "bs4",
    "faiss-cpu": "faiss",
    "onnxruntime-gpu": "onnxruntime",
    "openai-whisper": "whisper",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "python-dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
}

# Of a project of its own. By the entry point prelabel finds the backend once it is installed.
PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = {dependencies}

[project.optional-dependencies]
dev = ["pytest>=8"]

[project.entry-points."prelabel.backends"]
{name} = "{name}:{class_name}"

[tool.hatch.build.targets.wheel]
packages = ["{name}"]

[tool.pytest.ini_options]
pythonpath = ["."]

[tool.uv]
# As prelabel has them: label-studio-ml 1.0.9 pins a Flask of 2019 and the stray package `attr`, its
# 2.x line wants the SDK's main branch, and one opencv is enough. uv reads this in this folder.
override-dependencies = [
{overrides}
]
"""
# The override-dependencies of this repository's pyproject.toml, which is not installed.
OVERRIDES = (
    "flask>=3",
    "werkzeug>=3",
    "jinja2>=3.1",
    "itsdangerous>=2.2",
    "attr; python_version < '0'",
    "label-studio-sdk>=2.1.2",
    "opencv-python; python_version < '0'",
    "transformers>=4.50",
)

TEST = '''\
"""What every backend must hold to."""

from {name} import {class_name}

from shared.backend.testing import Conformance


class Test{class_name}(Conformance):
    backend = {class_name}
'''


def check_name(name: str) -> None:
    """SettingError if no backend can have that name."""
    from shared.server.app import ENDPOINTS

    paths = {endpoint.path.strip("/") for endpoint in ENDPOINTS}
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
    _check_seed(scaffold)
    try:
        scaffold.write(folder)
        write_expected(_stand_in(imported(scaffold, root)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _check_seed(scaffold: Scaffold) -> None:
    """SettingError if the stand-in needs a package that is not installed."""
    for requirement in PAIRS[scaffold.control, scaffold.object][1].requires:
        if importlib.util.find_spec(module_of(requirement)) is None:
            raise SettingError(
                f"What is made for {scaffold.object} needs {requirement}, which is not installed:"
                f" {install_package(requirement)}"
            )


def _stand_in(cls: type[Backend]) -> type[Backend]:
    """The class without what its model will need, which the stand-in for the model does not."""
    return type(cls.__name__, (cls,), {"modules": (), "__module__": cls.__module__})


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


def in_repository(
    name: str, control: str, target: str, requires: Sequence[str], repository: Path
) -> Path:
    """A backend of this repository: its folder, and its extra in pyproject.toml."""
    modules = tuple(module_of(requirement) for requirement in requires)
    package = f"{PACKAGE}.{name}"
    scaffold = Scaffold(name, control, target, package, tuple(requires), modules)
    project = repository / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    if requires:
        text = _with_extra(text, name, requires)
    folder = plant(scaffold, repository / PACKAGE)
    project.write_text(text, "utf-8")
    return folder


def _with_extra(project: str, name: str, requires: Sequence[str]) -> str:
    """The text of pyproject.toml with one more extra; SettingError if it cannot have that."""
    before, heading, after = project.partition(EXTRAS)
    if not heading:
        raise SettingError(f"pyproject.toml has no {EXTRAS.strip()}")
    if re.search(rf"^{name}\s*=", after.partition("\n[")[0], re.MULTILINE):
        raise SettingError(f'pyproject.toml has an extra "{name}" already: take another name')
    return f"{before}{heading}{name} = {json.dumps(list(requires))}\n{after}"


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
        texts = {
            "dependencies": json.dumps(["prelabel", *requires]),
            "overrides": "\n".join(f"    {json.dumps(one)}," for one in OVERRIDES),
        }
        project.write_text(PYPROJECT.format(**texts, **names), encoding="utf-8")
    return folder


def module_of(requirement: str) -> str:
    """What a package is imported as: as it says where it is installed, else by its name.

    SettingError if that is no requirement.
    """
    found = REQUIREMENT.match(requirement)
    if found is None:
        raise SettingError(
            f'"{requirement}" names no package; expected e.g. scikit-learn or "scikit-learn>=1.5"'
        )
    plain = re.sub(r"[-_.]+", "-", found[1]).lower()
    for module, packages in importlib.metadata.packages_distributions().items():
        if plain in (re.sub(r"[-_.]+", "-", package).lower() for package in packages):
            return module
    return IMPORTED_AS.get(plain, plain.replace("-", "_"))


def is_known(module: str) -> bool:
    """Whether there is a module of that name, here or as packages are known to have it."""
    return module in IMPORTED_AS.values() or importlib.util.find_spec(module) is not None

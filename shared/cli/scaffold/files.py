"""The files of a new backend's folder."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from shared.cli.scaffold.tag_pairs import PAIRS, TagPair
from shared.cli.scaffold.variants import select_variants

TEMPLATE = Path(__file__).parent / "template"
# The template's modules that read an object tag; a backend that uses one gets it.
READERS = ("clip", "series", "sound")
# Outside this repository `shared` is a third-party package like those in the lines above it.
THIRD_PARTY_GAP = re.compile(r"((?:cv2|numpy).*\n)\n(?=from shared)")

TRAINING_NOTE = """
"Start Training" in Label Studio, or `prelabel train`, makes weights of a project's annotations:
`train` in `backend.py` learns the stand-in of `trained_model.py`.
"""


def class_name(name: str) -> str:
    """Return the name of a backend's class, by the backend's name."""
    return "".join(part.title() for part in name.split("_")) + "Backend"


@dataclass(frozen=True)
class Scaffold:
    """A backend to be made: its name, its tags, and the module that it is imported as.

    `requires` are the packages to install, `modules` what they are imported as. One that is
    `trainable` learns from annotations; `TRAINABLE` are the pairs for which there is such a one.
    """

    name: str
    control: str
    object: str
    module: str
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    trainable: bool = False

    @property
    def class_name(self) -> str:
        """The name of the backend's class."""
        return class_name(self.name)

    @property
    def is_standalone(self) -> bool:
        """Whether it becomes a package outside this repository."""
        return self.module == self.name

    @property
    def pair(self) -> TagPair:
        """What is made for these tags."""
        return PAIRS[self.control, self.object]

    def write_files(self, folder: Path) -> None:
        """Write the folder without `expected.json`, which only the backend itself can tell."""
        (folder / "examples").mkdir(parents=True)
        for name, text in self._texts().items():
            if self.is_standalone and name.endswith(".py"):
                text = THIRD_PARTY_GAP.sub(r"\1", text)
            (folder / name).write_text(text, encoding="utf-8")
        tasks = json.dumps(self._tasks(folder / "examples"), indent=1, ensure_ascii=False)
        (folder / "tasks.json").write_text(tasks + "\n", encoding="utf-8")
        if not any((folder / "examples").iterdir()):
            (folder / "examples").rmdir()

    def fill_template(self, text: str, **more: str) -> str:
        """Return a template's text with this backend's names."""
        names = {"name": self.name, "control": self.control, "object": self.object}
        text = Template(text).substitute(names, class_name=self.class_name, **more)
        return text.replace("NewBackend", self.class_name)

    def _texts(self) -> Mapping[str, str]:
        """Return each file's text by its name."""
        requires = f" It needs {', '.join(self.requires)}." if self.requires else ""
        files = {
            "__init__.py": self.fill_template(_read_template("__init__.py")),
            "backend.py": self._code("backend.py", "NewBackend"),
            "model.py": self._code("model.py", "Model"),
            "README.md": self.fill_template(
                _read_template("README.md"),
                requires=requires,
                training=TRAINING_NOTE if self.trainable else "",
            ),
            "label_config.xml": self.pair.label_config(self.control),
        }
        if self.trainable:
            files["trained_model.py"] = self._code("trained_model.py", "TrainedModel")
        for reader in READERS:
            if any(f"from .{reader} import" in text for text in files.values()):
                files[f"{reader}.py"] = _read_template(f"{reader}.py")
        return files

    def _code(self, file: str, root: str) -> str:
        variants = *self.pair.variants, "trainable" if self.trainable else "fixed"
        code = select_variants(_read_template(file), variants, root)
        names = ", ".join(f'"{name}"' for name in self.modules)
        modules = (
            f"    modules = ({names},)\n"
            if len(self.modules) == 1
            else f"    modules = ({names})\n"
        )
        code = code.replace("    modules = ()\n", modules if self.modules else "")
        return self.fill_template(code)

    def _tasks(self, folder: Path) -> list[dict[str, Any]]:
        prefix = f"/data/local-files/?d={self.name}/examples/"
        data = self.pair.example(folder, lambda name: prefix + name)
        return [{"id": number, "data": entry} for number, entry in enumerate(data, 1)]


def _read_template(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")

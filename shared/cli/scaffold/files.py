"""The files of a new backend."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.cli.scaffold.assemble import Import, Source, copied, joined, needed, renamed, written
from shared.cli.scaffold.tag_pairs import PAIRS, Piece

# What every backend imports.
BASE: Mapping[str, Import] = {
    "Any": ("typing", "Any"),
    "Backend": ("shared.backend.base", "Backend"),
    "ModelSpec": ("shared.backend.claim", "ModelSpec"),
    "Sequence": ("collections.abc", "Sequence"),
}

LOAD = '''\
    def load(self, spec: ModelSpec) -> Model:
        """Called once per process: what takes time, such as reading weights, belongs here."""
        return Model()
'''
INFER = """\
    def infer(self, model: Model, items: list[Any]) -> Sequence[Any]:
        return model.predict(items)
"""


def class_name(name: str) -> str:
    """Of a backend's class, by the backend's name."""
    return "".join(part.title() for part in name.split("_")) + "Backend"


@dataclass(frozen=True)
class Scaffold:
    """A backend to be: its name, its tags, and the package that it becomes.

    `requires` are the packages to install, `modules` what they are imported as.
    """

    name: str
    control: str
    object: str
    package: str
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def class_name(self) -> str:
        """Of the backend's class."""
        return class_name(self.name)

    def write(self, folder: Path) -> None:
        """Make the folder, but for `expected.json`, which only the backend itself can say."""
        (folder / "examples").mkdir(parents=True)
        for name, text in self._texts().items():
            (folder / name).write_text(text, encoding="utf-8")
        tasks = json.dumps(self._tasks(folder / "examples"), indent=1, ensure_ascii=False)
        (folder / "tasks.json").write_text(tasks + "\n", encoding="utf-8")
        if not any((folder / "examples").iterdir()):
            (folder / "examples").rmdir()

    def _texts(self) -> dict[str, str]:
        """Each file's text, by its name."""
        files = {
            "__init__.py": self._init(),
            "backend.py": self._backend(),
            "model.py": self._model(),
            "label_config.xml": self.label_config(),
            "README.md": self._readme(),
        }
        item = self._item
        if item is not None:
            files[f"{_last(item)}.py"] = copied(item, self.package)
        return files

    # The code

    @property
    def _item(self) -> ModuleType | None:
        control, target = PAIRS[self.control, self.object]
        return None if control.read is not None else target.item

    @cached_property
    def _names(self) -> dict[str, str]:
        """The seeds' names that are others here."""
        control, target = PAIRS[self.control, self.object]
        names = {"measure": target.measure[1]} if control.measures else {}
        names |= {"measure": "length"} if (self.control, self.object) == LENGTHS else {}
        model = next(name for _, name in control.model if name in MODELS)
        return names | {model: "Model"} | {name: "shape" for _, name in control.shape}

    def _pieces(self) -> tuple[list[Piece], list[Piece]]:
        """Of the model and of the class."""
        control, target = PAIRS[self.control, self.object]
        model = [*control.model]
        if control.measures and control.read is None:
            model.append(target.measure)
        read = control.read or target.read
        return model, [*([read] if read else []), *control.regions]

    def _known(self) -> dict[str, Import]:
        """Where each name that the pieces may use comes from."""
        model, methods = self._pieces()
        control, _ = PAIRS[self.control, self.object]
        known = dict(BASE)
        for module, _ in (*model, *methods, *control.shape):
            for name, (origin, what) in Source.of(module).imports.items():
                own = origin.startswith("shared.cli.scaffold.templates.")
                known[name] = (f"{self.package}.{origin.split('.')[-1]}" if own else origin, what)
        return known

    def _model(self) -> str:
        model, _ = self._pieces()
        body = joined(
            [renamed(Source.of(module).code(name), self._names) for module, name in model]
        )
        imports = written(needed(body, self._known()), self.package)
        doc = f'"""What {self.name} finds, in the place of a model."""'
        return "\n\n".join(part for part in (doc, imports) if part) + f"\n\n\n{body}\n"

    def _backend(self) -> str:
        control, _ = PAIRS[self.control, self.object]
        model, pieces = self._pieces()
        methods = {name.split(".")[1]: Source.of(module).code(name) for module, name in pieces}
        methods |= {"load": LOAD.rstrip(), "infer": INFER.rstrip()}
        order = ("options", "load", "read", "infer", "regions")
        code = "\n\n".join(methods[name] for name in order if name in methods)
        shapes = [Source.of(module).code(name) for module, name in control.shape]
        body = renamed(joined([f"{self._head()}\n\n{code}", *shapes]), self._names)
        own = {self._names.get(name, name): (f"{self.package}.model", "") for _, name in model}
        known = self._known() | {name: (module, name) for name, (module, _) in own.items()}
        imports = written(needed(body, known), self.package)
        doc = f'"""Fills {self.control} on {self.object}."""'
        return f"{doc}\n\n{imports}\n\n\n{body}\n"

    def _head(self) -> str:
        lines = [
            f"class {self.class_name}(Backend):",
            f'    """Fills {self.control} on {self.object}."""',
            "",
            f'    name = "{self.name}"',
            f'    fills = frozenset({{("{self.control}", "{self.object}")}})',
        ]
        if self.modules:
            names = "".join(f'"{name}", ' for name in self.modules)
            lines.append(f"    modules = ({names.rstrip(' ' if len(self.modules) == 1 else ', ')})")
        return "\n".join(lines)

    def _init(self) -> str:
        name = self.class_name
        return (
            f'"""{self.control} on {self.object}."""\n\n'
            f"from {self.package}.backend import {name}\n\n"
            f'__all__ = ["{name}"]\n'
        )

    # The example

    def label_config(self) -> str:
        """The example's label config."""
        control, target = PAIRS[self.control, self.object]
        objects = (control.objects or target.xml).replace("><", ">\n  <")
        to_name = "left,right" if control.objects else self.object.lower()
        name = "label" if "<Label" in control.xml else self.control.lower()
        tag = f'<{self.control} name="{name}" toName="{to_name}"'
        inside = control.xml.replace("><", ">\n    <")
        whole = f"{tag}>\n    {inside}\n  </{self.control}>" if inside else f"{tag}/>"
        return f"<View>\n  {objects}\n  {whole}\n</View>\n"

    def _tasks(self, folder: Path) -> list[dict[str, Any]]:
        control, target = PAIRS[self.control, self.object]
        example = control.example or target.example
        below = f"/data/local-files/?d={self.name}/examples/"
        data = example(folder, lambda name: below + name)
        return [{"id": number, "data": entry} for number, entry in enumerate(data, 1)]

    def _readme(self) -> str:
        extra = f" It needs {', '.join(self.requires)}." if self.requires else ""
        return (
            f"# {self.name}\n\n"
            f"Fills `{self.control}` on `{self.object}`. What it finds comes from a stand-in in"
            f" `model.py`: put your"
            f"\nmodel in its place, and predict `expected.json` anew.{extra}\n\n"
            "| tag | on | what it gets |\n|---|---|---|\n"
            f"| `{self.control}` | `{self.object}` | what `regions` in `backend.py` says |\n\n"
            "It has no settings.\n"
        )


# The seeds' stand-ins, each called Model in its new place.
MODELS = {"Model", "Tracker", "Classifier", "Measure", "Calendar", "Writer", "Judge", "Sorter"}
# The pair that reads plain texts, and so measures them otherwise.
LENGTHS = ("Pairwise", "Text")


def _last(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[-1]

"""Definitions of other modules, put together to a new one with the imports that they need."""

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

# Characters of a line, as pyproject.toml has it.
WIDTH = 100

# A module and a name of it; no name where the module itself is imported (`numpy as np`).
Import = tuple[str, str]


@dataclass(frozen=True)
class Source:
    """A module's text, by the names that it defines at its top level."""

    text: str
    nodes: Mapping[str, ast.stmt]
    imports: Mapping[str, Import]

    @classmethod
    @cache
    def of(cls, module: ModuleType) -> "Source":
        """Read a module's file."""
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        nodes: dict[str, ast.stmt] = {}
        imports: dict[str, Import] = {}
        for node in ast.parse(text).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports |= _imports(node)
            elif isinstance(node, ast.ClassDef | ast.FunctionDef):
                nodes[node.name] = node
        return cls(text, nodes, imports)

    def code(self, name: str) -> str:
        """A class or function, or a method, as `Class.method`."""
        outer, _, inner = name.partition(".")
        node = self.nodes[outer]
        if inner:
            assert isinstance(node, ast.ClassDef)
            node = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == inner)
        assert isinstance(node, ast.ClassDef | ast.FunctionDef)
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return "\n".join(self.text.splitlines()[first - 1 : node.end_lineno])


def needed(code: str, known: Mapping[str, Import]) -> set[Import]:
    """The imports, of those known by the names that they bind, that a piece of code uses."""
    body = code if not code.startswith(" ") else f"class _:\n{code}"
    tree = ast.parse(body)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {known[name] for name in names if name in known}


def written(imports: Iterable[Import], own: str) -> str:
    """Import lines as ruff sorts them: the standard library, packages, and then ours.

    `own` is the new folder's own package.
    """
    sections: list[list[str]] = [[], [], []]
    by_module: dict[str, list[str]] = {}
    for module, name in imports:
        by_module.setdefault(module, []).append(name)
    plain = {
        module: names for module, names in by_module.items() if "" in names or " as " in module
    }
    for module in sorted(plain, key=str.lower):
        sections[_section(module, own)].append(f"import {module}")
    for module, names in sorted(by_module.items()):
        if module not in plain:
            sections[_section(module, own)].append(_line(module, sorted(set(names), key=_order)))
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def renamed(code: str, names: Mapping[str, str]) -> str:
    """The code with other identifiers; attributes and parts of words stay."""
    for old, new in names.items():
        code = re.sub(rf"(?<![\w.]){old}\b", new, code)
    return code


def copied(module: ModuleType, own: str) -> str:
    """A module's whole text, with its imports as the new package sorts them."""
    source = Source.of(module)
    body = ast.parse(source.text).body
    last = max(
        node.end_lineno or 0 for node in body if isinstance(node, ast.Import | ast.ImportFrom)
    )
    doc = source.text.split("\n\n", 1)[0]
    rest = "\n".join(source.text.splitlines()[last:])
    return f"{doc}\n\n{written(source.imports.values(), own)}\n{rest}\n"


def joined(parts: Sequence[str]) -> str:
    """Top-level definitions, apart as ruff has them."""
    return "\n\n\n".join(part.strip("\n") for part in parts if part)


def _imports(node: ast.Import | ast.ImportFrom) -> dict[str, Import]:
    if isinstance(node, ast.ImportFrom):
        return {alias.name: (str(node.module), alias.name) for alias in node.names}
    return {
        alias.asname or alias.name: (
            f"{alias.name} as {alias.asname}" if alias.asname else alias.name,
            "",
        )
        for alias in node.names
    }


def _section(module: str, own: str) -> int:
    root = module.split(" ")[0].split(".")[0]
    if root in sys.stdlib_module_names:
        return 0
    ours = {"shared", "backends"} if own.startswith("backends.") else {own}
    return 2 if root in ours else 1


def _line(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _order(name: str) -> tuple[int, str]:
    """Constants, classes, the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name

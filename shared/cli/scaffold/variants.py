"""A template's code, reduced to the variants that a new backend needs."""

import ast
import re
from collections.abc import Collection

# A name with its variant, such as `read__audio`.
VARIANT = re.compile(r"\b([A-Za-z]\w*?)__([a-z]\w*)")
# Blank lines that nothing separates any more: in the imports, and above the first definition.
IMPORT_GAP = re.compile(r"\n{3,}(?=(?:from|import) )")
# Of this repository's style, and of the projects that are made.
MAX_LINE_LENGTH = 100
DEFINITION_GAP = re.compile(r"\n{4,}")


def select_variants(code: str, variants: Collection[str], root: str) -> str:
    """Return the code with the definitions of these variants, and what the class `root` uses."""
    code = _delete_lines(code, _other_variants(ast.parse(code), variants))
    code = VARIANT.sub(r"\1", code)
    # What is unused may have been the only user of something else.
    while unused := _unused_definitions(ast.parse(code), root):
        code = _delete_lines(code, unused)
    code = _without_unused_imports(code)
    return DEFINITION_GAP.sub("\n\n\n", IMPORT_GAP.sub("\n\n", code))


def _other_variants(tree: ast.Module, variants: Collection[str]) -> list[ast.stmt]:
    statements = [
        *tree.body,
        *(s for node in tree.body if isinstance(node, ast.ClassDef) for s in node.body),
    ]
    matches = ((statement, VARIANT.fullmatch(_defined_name(statement))) for statement in statements)
    return [statement for statement, match in matches if match and match[2] not in variants]


def _defined_name(statement: ast.stmt) -> str:
    """Return the name of a class or function, or of a value that is assigned; "" for the rest."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _unused_definitions(tree: ast.Module, root: str) -> list[ast.stmt]:
    """Return the classes and functions that no other one refers to."""
    definitions = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [
        node
        for node in definitions
        if node.name != root
        and not any(node.name in _used_names(other) for other in definitions if other is not node)
    ]


def _used_names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _delete_lines(code: str, statements: list[ast.stmt]) -> str:
    """Return the code without these statements and the blank lines above them."""
    lines = code.splitlines()
    # from the end, so that the line numbers of the others stay right
    for statement in sorted(statements, key=lambda node: node.lineno, reverse=True):
        first = min(
            [statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))]
        )
        first -= 1
        while first and not lines[first - 1]:
            first -= 1
        del lines[first : statement.end_lineno]
    return "\n".join(lines) + "\n"


def _without_unused_imports(code: str) -> str:
    tree, lines = ast.parse(code), code.splitlines()
    used = _used_names(tree)
    for node in reversed(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias for alias in node.names if (alias.asname or alias.name) in used]
            if len(names) < len(node.names):
                node.names = names
                lines[node.lineno - 1 : node.end_lineno] = _format_import(node) if names else []
    return "\n".join(lines) + "\n"


def _format_import(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the lines of an import, as ruff formats it."""
    line = ast.unparse(node)
    if len(line) <= MAX_LINE_LENGTH or not isinstance(node, ast.ImportFrom):
        return [line]
    names = (f"    {ast.unparse(alias)}," for alias in node.names)
    return [f"from {node.module} import (", *names, ")"]

"""Paths of outputs that are written on this machine only."""

import re
from pathlib import Path

import typer

# Paths have one slash where addresses have two.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def check_local(path: Path | None) -> Path | None:
    """Return the path of an option; BadParameter if it was meant for an object store."""
    if path is not None and _ADDRESS.match(str(path)):
        raise typer.BadParameter(
            "this command writes on this machine only: name a path, and copy it into the store"
        )
    return path

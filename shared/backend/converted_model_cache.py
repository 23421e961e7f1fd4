"""Folders of a cache that several processes share: each is there whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """A folder beside its place, moved there at the end, whoever else makes the same.

    If anything is raised it is deleted.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    try:
        yield made
        with suppress(OSError):  # another process was faster
            os.replace(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)

"""A cache folder that several processes share: an entry is there whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder that is moved to `place` at the end, or deleted if anything is raised.

    If another process was faster, its folder stays.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    try:
        yield made
        with suppress(OSError):  # another process was faster
            os.replace(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)

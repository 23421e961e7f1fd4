"""Compiles the file of a network on OpenVINO, and keeps what that has worked out.

Two thirds of a compilation rewrite the network for this processor. OpenVINO keeps the result in a
folder and reads it the next time, if it was made by the same release for the same processor and
instructions; else, and where a byte of it has changed, it is made again. For OpenVINO's own format
the weights are not in it, but read from where they are.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from backends._inference.checksums import DamagedFileError, check_files, write_checksums
from backends._inference.openvino import import_openvino, openvino_core
from shared.backend.converted_model_cache import DRAFT_PREFIX, fresh_folder

FOLDER = "compiled"
# What was used longest ago is deleted beyond that.
MAX_BYTES = 256_000_000
# What is compiled of other formats has the weights in it: of larger files nothing is kept.
MAX_FILE_BYTES = 64_000_000
OWN_FORMAT = ".xml"

Hints = Mapping[str, Any]


def compile_file(path: Path, hints: Hints, cache_dir: Path | None = None) -> Any:
    """Compile a network for the CPU; with `cache_dir` the next time takes a third of that."""
    place = _place_of(path, hints, cache_dir) if cache_dir is not None else None
    if place is None:
        return openvino_core().compile_model(path, "CPU", dict(hints))
    if _is_whole(place):
        with suppress(OSError):  # the disk must not be written on
            os.utime(place)
        return _compile(path, hints, place)
    with ExitStack() as stack:
        draft: Path | None = None
        with suppress(OSError):  # the disk is full, or must not be written on
            draft = stack.enter_context(fresh_folder(place))
        compiled = _compile(path, hints, draft)
        if draft is not None and any(draft.iterdir()):
            with suppress(OSError):
                write_checksums(draft)
    remove_oldest(place.parent)
    return compiled


def remove_oldest(parent: Path, max_bytes: int = MAX_BYTES) -> None:
    """Delete the folders that were used longest ago, until the others have `max_bytes` at most."""
    with suppress(OSError):  # another process deletes them, too
        folders = [one for one in parent.iterdir() if not one.name.startswith(DRAFT_PREFIX)]
        total = 0
        for folder in sorted(folders, key=_last_use, reverse=True):
            total += sum(file.stat().st_size for file in folder.iterdir())
            if total > max_bytes:
                shutil.rmtree(folder, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    """Return whether a folder has what was written into it; delete it if that is damaged."""
    try:
        check_files(folder)
        return any(folder.iterdir())
    except DamagedFileError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    except OSError:  # there is none, or another user's
        return False


def _last_use(folder: Path) -> float:
    return folder.stat().st_mtime


def _place_of(path: Path, hints: Hints, cache_dir: Path) -> Path | None:
    """Return the folder for a file as it is now; None if nothing is to be kept of it."""
    found = [one.stat() for one in (path, path.with_suffix(".bin")) if one.is_file()]
    if path.suffix != OWN_FORMAT and found and found[0].st_size > MAX_FILE_BYTES:
        return None
    files = [(one.st_size, one.st_mtime_ns) for one in found]
    parts = (import_openvino().__version__, str(path.absolute()), files, sorted(hints.items()))
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return cache_dir / FOLDER / f"{path.stem}-{digest[:20]}"


def _compile(path: Path, hints: Hints, folder: Path | None) -> Any:
    options = dict(hints)
    if folder is not None:
        mode = "OPTIMIZE_SIZE" if path.suffix == OWN_FORMAT else "OPTIMIZE_SPEED"
        options |= {"CACHE_DIR": str(folder), "CACHE_MODE": mode}
    return openvino_core().compile_model(path, "CPU", options)

"""Checksums of a converted network's files: a changed byte would change what it finds, unnoticed.

Disks and copies damage files, and so does a power cut soon after they were written. CRC-32 finds
that at 2 GB a second of processor time, about an eighth of what loading a BERT takes (SHA-256: a
fifth); against people who can write to the folder no checksum in it would help.
"""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

from shared.backend.weights import READ_BLOCK_BYTES

CHECKSUMS_FILE = "checksums.json"


class DamagedFileError(Exception):
    """A file is not what was written; the message names it."""


def write_checksums(folder: Path) -> None:
    """Write the checksums of the files in a folder into it."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    found = {path.name: _checksum(path) for path in paths if path.name != CHECKSUMS_FILE}
    (folder / CHECKSUMS_FILE).write_text(json.dumps(found, indent=1), encoding="utf-8")


def check_files(folder: Path, names: Iterable[str] | None = None) -> None:
    """Raise DamagedFileError if a file is not what it was; by default all that are listed.

    What was written without checksums, by an earlier version, is not checked.
    """
    path = folder / CHECKSUMS_FILE
    if not path.is_file():
        return
    try:
        listed = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise DamagedFileError(f"{CHECKSUMS_FILE} is damaged") from None
    for name in listed if names is None else names:
        if name in listed and not _is_whole(folder / name, listed[name]):
            raise DamagedFileError(f"{name} is damaged: its checksum is another one")


def _is_whole(path: Path, expected: str) -> bool:
    return path.is_file() and _checksum(path) == expected


def _checksum(path: Path) -> str:
    """Return the CRC-32 of a file; read, and not mapped, it takes no memory of this process."""
    found = 0
    with path.open("rb") as file:
        while block := file.read(READ_BLOCK_BYTES):
            found = zlib.crc32(block, found)
    return f"{found:08x}"

"""JSON files that are replaced as a whole: a reader sees the old one or the new one."""

import os
import threading
from pathlib import Path
from typing import Any

import orjson

JSON_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def write_json(file: Path, content: Any, *, durable: bool = True) -> None:
    """Replace a file; `durable` also after a power cut. OSError, and the old one, on a full disk.

    TypeError for what JSON does not have.
    """
    data = orjson.dumps(content, option=JSON_OPTIONS)
    new = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_json(file: Path) -> dict[str, Any] | None:
    """Return the object in a file; None if it is missing or holds none."""
    try:
        found = orjson.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None

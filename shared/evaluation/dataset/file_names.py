"""File names for labels and ids that may hold anything."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# Bytes of a name: file systems allow 255, and endings are added.
MAX_NAME_BYTES = 100
# Names that Windows keeps for devices, whatever their ending.
DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_file_name(text: Any) -> str:
    """Return a name of letters, digits, `_`, `-` and inner dots; a hash follows what was changed.

    So different texts get different names, up to the case of letters.
    """
    written = unicodedata.normalize("NFC", str(text))
    name = re.sub(r"[^\w.-]+", "_", written).strip(".")
    name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    if name == written and name and not DEVICE_NAMES.fullmatch(name):
        return name
    digest = hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{name.strip('_.') or 'name'}-{digest}"


def distinct_file_names(texts: Iterable[str]) -> dict[str, str]:
    """Return a safe file name of each text; they differ in more than the case of letters."""
    names: dict[str, str] = {}
    taken = UniqueNames()
    for text in texts:
        names[text] = taken.take(safe_file_name(text))
    return names


class UniqueNames:
    """Gives each name once; when it is asked for again, a number follows it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return the name, with a number if it or one that differs in case was taken before."""
        free, number = name, 1
        while free.casefold() in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(free.casefold())
        return free

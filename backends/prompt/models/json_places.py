"""Where in a JSON text each value stands."""

import json
import re
from typing import TypeAlias

# The first character of a value, and the one behind its last.
Place: TypeAlias = tuple[int, int]

_SPACE = re.compile(r"[ \t\n\r]*")


def find_places(text: str, start: int = 0) -> dict[str, Place]:
    """Return the place of each value of the JSON value at `start`, by JSON pointer (RFC 6901).

    The text has been parsed before: broken JSON raises ValueError.
    """
    places: dict[str, Place] = {}
    _Scanner(text, places).scan(start, "")
    return places


def join_pointer(pointer: str, name: str | int) -> str:
    """Return the pointer to a property or entry of the value at a pointer."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


class _Scanner:
    def __init__(self, text: str, places: dict[str, Place]) -> None:
        self._text = text
        self._places = places
        self._decoder = json.JSONDecoder()

    def scan(self, index: int, pointer: str) -> int:
        """Note the places of a value and of all in it; return where it ends."""
        start = self._skip_space(index)
        opening = self._text[start : start + 1]
        if opening in {"{", "["}:
            end = self._scan_entries(start + 1, pointer, "}" if opening == "{" else "]")
        else:
            end = self._decoder.raw_decode(self._text, start)[1]
        self._places[pointer] = start, end
        return end

    def _scan_entries(self, index: int, pointer: str, closing: str) -> int:
        index, count = self._skip_space(index), 0
        while self._text[index : index + 1] != closing:
            name: str | int = count
            if closing == "}":
                name, index = self._decoder.raw_decode(self._text, index)
                index = self._skip_space(index) + 1  # the colon
            index = self._skip_space(self.scan(index, join_pointer(pointer, name)))
            if self._text[index : index + 1] == ",":
                index = self._skip_space(index + 1)
            count += 1
        return index + 1

    def _skip_space(self, index: int) -> int:
        found = _SPACE.match(self._text, index)
        return found.end() if found else index

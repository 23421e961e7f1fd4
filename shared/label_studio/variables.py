"""Values of tags as Label Studio's editor resolves them: `$key`, `$a.b[0]`, `$first: $second`."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from shared.label_studio import javascript
from shared.label_studio.javascript import UNDEFINED

# What the editor takes for a part of a key after a `$`.
READABLE_CHARACTERS = "letters from A to Z, digits, _ . [ ] { }"

_VARIABLE = re.compile(r"\$([\w[\].{}]+)", re.ASCII)
# A `$` that begins no variable.
_DOLLAR = re.compile(r"\$(?![\w[\].{}])", re.ASCII)
# Of the `$` in a value those behind which a key is looked for that cannot be read whole.
MAX_EXAMINED_DOLLARS = 100
# Characters of such a key.
MAX_KEY_CHARACTERS = 200


def key_of(written: str) -> str | None:
    """Return the key if the value is one variable and nothing else: it may then be no text."""
    found = _VARIABLE.fullmatch(written)
    return found[1] if found else None


def keys_of(written: str) -> tuple[str, ...]:
    """Return the keys of all variables in a value."""
    return tuple(dict.fromkeys(_VARIABLE.findall(written)))


def resolve_variables(written: str, data: Mapping[str, Any]) -> Any:
    """Return what a value shows; UNDEFINED or None if it is one variable that leads to nothing.

    Several variables, or one with text around it, make a text.
    """
    key = key_of(written)
    if key is not None:
        return javascript.lookup_path(data, key)
    return _VARIABLE.sub(
        lambda found: javascript.to_string(javascript.lookup_path(data, found[1])), written
    )


def missing_keys(written: str, data: Mapping[str, Any]) -> list[str]:
    """Return the keys of a value that lead to nothing in the data, or to null."""
    return [
        key for key in keys_of(written) if javascript.lookup_path(data, key) in (None, UNDEFINED)
    ]


def unreadable_key(written: str, data: Mapping[str, Any]) -> str | None:
    """Return the data's key that a value means, but that the editor cannot read whole.

    It takes `$my-key` for the key `my` with `-key` behind it, and `$ключ` for no variable.
    """
    if not _DOLLAR.search(written) and not missing_keys(written, data):
        return None
    starts = (found.end() for found in islice(re.finditer(r"\$", written), MAX_EXAMINED_DOLLARS))
    keys = (key for start in starts for key in _keys_at(written, start, data))
    return max(keys, key=len, default=None)


def _keys_at(written: str, start: int, data: Mapping[str, Any]) -> Iterable[str]:
    """Yield the keys of the data that stand there; they are looked up, however many there are."""
    part = written[start : start + MAX_KEY_CHARACTERS]
    keys = (part[:end] for end in range(1, len(part) + 1))
    return (key for key in keys if key in data and key_of(f"${key}") is None)

"""Values as JavaScript, and so Label Studio's editor, looks them up and writes them as text."""

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from shared.label_studio.text_cache import TextCache

# JavaScript's numbers are doubles: above this they skip integers.
MAX_EXACT_INTEGER = 2**53
# A number with more digits before its point is written with an exponent: 1e+21.
DIGITS_BEFORE_EXPONENT = 21
# So is a fraction with this many zeros after its point: 1e-7.
ZEROS_BEFORE_EXPONENT = 6
# A number with more digits is not an index: nothing has so many members.
MAX_INDEX_DIGITS = 15


class _Undefined:
    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False


# The value of a path that leads nowhere; null is None.
UNDEFINED: Final = _Undefined()


def lookup_path(value: Any, path: str) -> Any:
    """Return the value at a path such as `a.b[0].c`, as lodash's `get` does, or UNDEFINED.

    A member whose name is the whole path comes first. Members that only JavaScript has, such as
    methods of a list, are not found.
    """
    found = _get_member(value, path)
    if found is not UNDEFINED or not set(path) & set(".[]"):
        return found
    found = value
    for name in split_path(path):
        found = _get_member(found, name)
    return found


def split_path(path: str) -> list[str]:
    """Return the names in a path: `a.b[0]` has three; a dot at the end names nothing."""
    found, name, inside = [""] if path.startswith(".") else [], "", False
    for letter in path:
        if letter == "]" and inside:
            found.append(name)
            name, inside = "", False
        elif not inside and letter in ".[":
            found += [name] if name else []
            name, inside = "", letter == "["
        else:
            name += letter
    return [*found, name] if name else found


def _get_member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, UNDEFINED)
    if not isinstance(value, str | list):
        return UNDEFINED
    units = _code_units(value) if isinstance(value, str) else value
    if name == "length":
        return len(units)
    if len(name) > MAX_INDEX_DIGITS or not (name.isascii() and name.isdecimal()):
        return UNDEFINED
    index = int(name)
    return units[index] if str(index) == name and index < len(units) else UNDEFINED


class _CodeUnits:
    """The UTF-16 code units of a text, which JavaScript counts in."""

    def __init__(self, text: str) -> None:
        self._data = text.encode("utf-16-le", "surrogatepass")

    def __len__(self) -> int:
        return len(self._data) // 2

    def __getitem__(self, index: int) -> str:
        return chr(int.from_bytes(self._data[2 * index : 2 * index + 2], "little"))


# Of the last texts: a label config may ask for many characters of one.
_code_unit_cache: TextCache[str, _CodeUnits] = TextCache(max_entries=8, max_characters=1_000_000)


def _code_units(text: str) -> str | _CodeUnits:
    """Return the units of a text; those of ASCII are its characters."""
    if text.isascii():
        return text
    return _code_unit_cache.get(text) or _code_unit_cache.put(text, _CodeUnits(text), len(text))


def to_string(value: Any) -> str:
    """Return a value of JSON as `String(value)` writes it, however deep its lists are."""
    if isinstance(value, list):
        return ",".join(_list_leaves(value))
    return _scalar_to_string(value)


def _list_leaves(value: list[Any]) -> Iterator[str]:
    """Yield the texts between the commas of a list; an empty list in it, or null, is one, too."""
    stack = [iter(value or [None])]
    while stack:
        for part in stack[-1]:
            if isinstance(part, list):
                stack.append(iter(part or [None]))
                break
            yield "" if part is None else _scalar_to_string(part)
        else:
            stack.pop()


def _scalar_to_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_to_string(value)
    names = {type(None): "null", _Undefined: "undefined"}
    return names.get(type(value), "[object Object]")


def _number_to_string(value: float) -> str:
    if isinstance(value, int) and abs(value) < MAX_EXACT_INTEGER:
        return str(value)
    try:
        value = float(value)
    except OverflowError:
        value = math.inf if value > 0 else -math.inf
    if not math.isfinite(value):
        return str(value).replace("inf", "Infinity").replace("nan", "NaN")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    shown = _format_digits("".join(map(str, digits)), int(exponent))
    return f"-{shown}" if sign and value else shown


def _format_digits(digits: str, exponent: int) -> str:
    point = len(digits) + exponent
    if 0 < point <= DIGITS_BEFORE_EXPONENT:
        whole, rest = digits[:point].ljust(point, "0"), digits[point:]
        return f"{whole}.{rest}" if rest else whole
    if digits == "0" or -ZEROS_BEFORE_EXPONENT < point <= 0:
        return "0" if digits == "0" else f"0.{'0' * -point}{digits}"
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}e{point - 1:+d}"


def decode_base64(encoded: str) -> bytes:
    """Return the bytes that base64 stands for, read as a browser's `atob` does; else ValueError.

    Blanks do not count, and the = at its end may be missing.
    """
    plain = "".join(letter for letter in encoded if letter not in "\t\n\f\r ")
    if len(plain) % 4 == 0:
        plain = plain[:-2] if plain.endswith("==") else plain.removesuffix("=")
    if len(plain) % 4 == 1 or "=" in plain:
        raise ValueError(f"base64 of {len(plain)} letters")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(str(error)) from None

"""Values that JSON can spell, but that few libraries and no database take."""

import math
import re
from typing import Any

import orjson

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def with_common_values(value: Any) -> Any:
    """Return a JSON value with what orjson refuses replaced; mostly the value itself.

    Half a surrogate pair, such as JavaScript leaves when it cuts a text, becomes U+FFFD, which is
    as long; an integer of more than 64 bits becomes a float. ValueError if it is nested too deep.
    """
    if _is_common(value):
        return value
    try:
        replaced = _replace(value)
    except RecursionError:
        replaced = None
    if replaced is None or not _is_common(replaced):
        raise ValueError("The value is nested too deep")
    return replaced


def _is_common(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # orjson.JSONEncodeError is one
        return False
    return True


def _replace(value: Any) -> Any:
    if isinstance(value, dict):
        return {_replace(key): _replace(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_replace(one) for one in value]
    if isinstance(value, str):
        return LONE_SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return _as_float(value)
    return value


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf

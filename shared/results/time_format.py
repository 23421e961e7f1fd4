"""Times in a series' `timeFormat`, as the editor reads and writes them: d3-time-format, in UTC.

Times are milliseconds since 1970 (UTC), which is also what the editor counts in.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1)
DAY_MS = 86_400_000
# The years 1 to 9999.
FIRST_TIME, LAST_TIME = -62_135_596_800_000, 253_402_300_800_000
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The composite directives of d3's American locale.
COMPOSITES = {"c": "%x, %X", "x": "%-m/%-d/%Y", "X": "%-I:%M:%S %p"}
PADS = "-_0"
# Directives of digits only: at most so many are read. %f and %L are fractions of a second, however
# many digits they have: the editor pads them to milliseconds, and drops what is finer.
DIGITS: Mapping[str, str] = {
    "Y": r"\s*\d{1,4}", "y": r"\s*\d{1,2}", "m": r"\s*\d{1,2}", "d": r"\s*\d{1,2}",
    "e": r"\s*\d{1,2}", "j": r"\s*\d{1,3}", "H": r"\s*\d{1,2}", "I": r"\s*\d{1,2}",
    "M": r"\s*\d{1,2}", "S": r"\s*\d{1,2}", "f": r"\d{1,9}", "L": r"\d{1,9}",
    "Q": r"\s*-?\d{1,15}", "s": r"\s*-?\d{1,12}", "q": r"[1-4]",
    "u": r"\d", "w": r"\d",
}  # fmt: skip
# Directives that are written, but not read: d3 finds days by their weeks, which no series has.
WEEKS = "UVWGg"
NAMES: Mapping[str, Sequence[str]] = {
    "B": MONTHS,
    "b": tuple(name[:3] for name in MONTHS),
    "A": DAYS,
    "a": tuple(name[:3] for name in DAYS),
    "p": ("AM", "PM"),
}
ZONE = r"Z|[+-]\d\d(?::?\d\d)?"


class Directive(NamedTuple):
    """A part of a format: a directive such as `Y` with its padding, or a `text` as it stands."""

    letter: str
    pad: str | None = None
    text: str = ""


@lru_cache(64)
def split_format(written: str) -> tuple[Directive, ...]:
    """Return the parts of a format, its composite directives taken apart."""
    return tuple(_split(written))


def _split(written: str) -> Iterator[Directive]:
    for literal, pad, letter in re.findall(r"([^%]+)|%([-_0]?)(.?)", written, re.DOTALL):
        if literal or letter == "%" or not letter:
            yield Directive("", text=literal or "%")
        elif letter in COMPOSITES:
            yield from _split(COMPOSITES[letter])
        else:
            yield Directive(letter, pad or None)


def unknown_directive(written: str) -> str | None:
    """Return the first directive, such as `%k`, that the editor does not know; None without any."""
    known = {*DIGITS, *NAMES, *WEEKS, "Z", ""}
    return next(
        (f"%{one.letter}" for one in split_format(written) if one.letter not in known), None
    )


def parse_time(text: str, written: str) -> float | None:
    """Return a time in milliseconds since 1970; None if the text is not in the format."""
    pattern = _pattern(written)
    found = pattern.fullmatch(text) if pattern else None
    if found is None:
        return None
    try:
        time = _milliseconds({key[0]: part for key, part in found.groupdict().items()})
    except (ValueError, OverflowError):  # a year that no calendar has
        return None
    return time if FIRST_TIME <= time < LAST_TIME else None


@lru_cache(64)
def _pattern(written: str) -> re.Pattern[str] | None:
    letters = {one.letter for one in split_format(written)}
    if unknown_directive(written) or letters & {*WEEKS}:
        return None
    parts = []
    for place, one in enumerate(split_format(written)):
        if one.letter in DIGITS:
            inside = DIGITS[one.letter]
        elif one.letter in NAMES:
            inside = "|".join(NAMES[one.letter])
        elif one.letter:
            inside = ZONE
        else:
            parts.append(re.escape(one.text))
            continue
        parts.append(f"(?P<{one.letter}{place}>{inside})")
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII)


def _milliseconds(found: Mapping[str, str]) -> float:
    fraction = math.floor(float(f"0.{_fraction(found)}") * 1000 + 1e-6)
    if "Q" in found:
        return float(found["Q"])
    if "s" in found:
        return float(found["s"]) * 1000 + fraction
    hours = int(found.get("H", found.get("I", "0")))
    if "p" in found:
        hours = hours % 12 + 12 * (found["p"].lower() == "pm")
    minutes = hours * 60 + int(found.get("M", "0")) - _zone_minutes(found.get("Z", "Z"))
    seconds = minutes * 60 + int(found.get("S", "0"))
    return float(_day(found) * DAY_MS + seconds * 1000 + fraction)


def _fraction(found: Mapping[str, str]) -> str:
    return found.get("L") or found.get("f") or "0"


def _day(found: Mapping[str, str]) -> int:
    """Return the day since 1970; as in JavaScript April 31 is May 1."""
    year = int(found.get("Y", "1900"))
    if "y" in found:
        short = int(found["y"])
        year = short + (1900 if short > 68 else 2000)
    month = _month(found)
    first = date(year + month // 12, month % 12 + 1, 1).toordinal()
    days = int(found.get("j", found.get("d", found.get("e", "1")))) - 1
    return first + days - EPOCH.toordinal()


def _month(found: Mapping[str, str]) -> int:
    for letter in "Bb":
        if letter in found:
            names = [name.lower() for name in NAMES[letter]]
            return names.index(found[letter].lower())
    if "q" in found:
        return 3 * (int(found["q"]) - 1)
    return int(found.get("m", "1")) - 1


def _zone_minutes(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes


def format_time(time: float, written: str) -> str:
    """Write a time in milliseconds since 1970 in a format, as the editor does."""
    moment = EPOCH + timedelta(milliseconds=math.floor(time))
    return "".join(_write(one, moment, math.floor(time)) for one in split_format(written))


def _write(one: Directive, moment: datetime, time: int) -> str:
    if not one.letter:
        return one.text
    if one.letter in _TEXTS:
        return _TEXTS[one.letter](moment, time)
    if one.letter not in _NUMBERS:
        return one.letter  # as d3 does
    width, number = _NUMBERS[one.letter]
    pad = one.pad or ("_" if one.letter == "e" else "0")
    text = str(number(moment))
    return text if pad == "-" else text.rjust(width, " " if pad == "_" else "0")


def _weeks(moment: datetime, first_weekday: int) -> int:
    """Return the number of the week in its year, of which the first begins with that weekday."""
    days = moment.timetuple().tm_yday
    return (days + 6 - (moment.weekday() - first_weekday) % 7) // 7


_TEXTS: Mapping[str, Callable[[datetime, int], str]] = {
    "A": lambda moment, time: DAYS[moment.weekday()],
    "a": lambda moment, time: DAYS[moment.weekday()][:3],
    "B": lambda moment, time: MONTHS[moment.month - 1],
    "b": lambda moment, time: MONTHS[moment.month - 1][:3],
    "p": lambda moment, time: "AM" if moment.hour < 12 else "PM",
    "Z": lambda moment, time: "+0000",
    "Q": lambda moment, time: str(time),
    "s": lambda moment, time: str(time // 1000),
    "f": lambda moment, time: f"{moment.microsecond // 1000:03}000",
}
_NUMBERS: Mapping[str, tuple[int, Callable[[datetime], int]]] = {
    "Y": (4, lambda moment: moment.year),
    "y": (2, lambda moment: moment.year % 100),
    "G": (4, lambda moment: moment.isocalendar()[0]),
    "g": (2, lambda moment: moment.isocalendar()[0] % 100),
    "m": (2, lambda moment: moment.month),
    "d": (2, lambda moment: moment.day),
    "e": (2, lambda moment: moment.day),
    "j": (3, lambda moment: moment.timetuple().tm_yday),
    "H": (2, lambda moment: moment.hour),
    "I": (2, lambda moment: moment.hour % 12 or 12),
    "M": (2, lambda moment: moment.minute),
    "S": (2, lambda moment: moment.second),
    "L": (3, lambda moment: moment.microsecond // 1000),
    "q": (1, lambda moment: (moment.month - 1) // 3 + 1),
    "u": (1, lambda moment: moment.isoweekday()),
    "w": (1, lambda moment: moment.isoweekday() % 7),
    "U": (2, lambda moment: _weeks(moment, 6)),
    "V": (2, lambda moment: moment.isocalendar()[1]),
    "W": (2, lambda moment: _weeks(moment, 0)),
}

"""Checks the `value` of regions on texts, recordings and time series."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.label_studio.label_config import ObjectTag
from shared.results.time_format import parse_time, unknown_directive
from shared.results.validation.finding import (
    Problems,
    RuleViolation,
    Value,
    is_count,
    is_number,
    quote,
)
from shared.results.validation.image_shapes import Check, number_problems
from shared.results.validation.tracks import check_timeline

# The XPaths that the editor writes and resolves; it resolves no others.
EDITOR_XPATH = re.compile(r"/|(?:/(?:[^/\[\]()\sA-Z]+|text\(\))\[[1-9]\d*\])+")

# Seconds by which a span may end after its recording: players measure the length differently.
END_TOLERANCE_SECONDS = 0.05


def check_text(value: Value, result: Value) -> Problems:
    """Check `start` and `end` in characters, end exclusive."""
    start, end = value.get("start"), value.get("end")
    if type(start) is int and type(end) is int and 0 <= start < end:
        if "startOffset" in value or "endOffset" in value:
            return [MIXED_OFFSETS]
        return ()
    if "startOffset" in value and isinstance(start, str):
        return check_hypertext(value, result)
    if _is_digits(start) and _is_digits(end):
        first, last = int(str(start)), int(str(end))
        what = f'"start" and "end" are strings, expected {first} and {last}'
        numbers = {**value, "start": first, "end": last}
        return [
            RuleViolation("not_a_number", what, "warning"),
            *_offset_problems(numbers, "start", "end"),
        ]
    return list(_offset_problems(value, "start", "end"))


def _is_digits(found: Any) -> bool:
    """Return whether a value is a whole number in a string, of a plausible length."""
    return isinstance(found, str) and found.isdecimal() and len(found) < 10


MIXED_OFFSETS = RuleViolation(
    "offset",
    'the editor loses a region with "startOffset" and "endOffset" beside numbers in "start"'
    ' and "end"; leave them out',
)


def _offset_problems(value: Value, first: str, last: str) -> Iterator[RuleViolation]:
    """Check that two keys are whole numbers from 0 on, and the first less than the second."""
    sound = True
    for key in (first, last):
        found = value.get(key)
        if found is None:
            yield RuleViolation("missing_key", f'"{key}" is missing')
        elif not is_number(found):
            yield RuleViolation(
                "not_a_number", f'"{key}" is {quote(found)}, expected a whole number'
            )
        elif not is_count(found):
            yield RuleViolation(
                "offset", f'"{key}" is {quote(found)}, expected a whole number from 0 on'
            )
        else:
            continue
        sound = False
    if sound and not value[first] < value[last]:
        yield RuleViolation(
            "empty_span", f'"{first}" is {value[first]}, "{last}" {value[last]}: no text'
        )


def check_hypertext(value: Value, result: Value) -> Problems:
    """Check XPaths with offsets, or `start` and `end` as on plain text."""
    start = value.get("start")
    if "startOffset" not in value and "endOffset" not in value:
        if isinstance(start, str) and not start.isdigit():
            return [RuleViolation("missing_key", '"startOffset" and "endOffset" are missing')]
        if start is None and isinstance(value.get("globalOffsets"), dict):
            what = '"start", "end", "startOffset" and "endOffset" are missing'
            return [
                RuleViolation("missing_key", f"{what}; the editor needs them beside globalOffsets")
            ]
        return check_text(value, result)
    if is_count(start):
        return [MIXED_OFFSETS]
    problems = [
        RuleViolation(
            "xpath", f'"{key}" is {quote(value.get(key))}, expected an XPath: /p[1]/text()[1]'
        )
        for key in ("start", "end")
        if not isinstance(value.get(key), str)
    ]
    for key in ("startOffset", "endOffset"):
        if not is_count(value.get(key)):
            found = f'"{key}" is {quote(value.get(key))}, expected a whole number from 0 on'
            problems.append(RuleViolation("offset", found))
    by_paths = not isinstance(value.get("globalOffsets"), dict)
    if (
        not problems
        and value["start"] == value["end"]
        and (by_paths or EDITOR_XPATH.fullmatch(value["start"]))
    ):
        return list(_offset_problems(value, "startOffset", "endOffset"))
    return problems


def check_paragraphs(value: Value, result: Value) -> Problems:
    """Check the indices of first and last paragraph, as strings, and the offsets in them."""
    problems = []
    for key in ("start", "end"):
        found = value.get(key)
        if found is None:
            problems.append(RuleViolation("missing_key", f'"{key}" is missing'))
        elif not _is_digits(found):
            remedy = f'; write "{found}"' if is_count(found) else ""
            what = f'"{key}" is {quote(found)}, expected a paragraph\'s index as a string{remedy}'
            problems.append(RuleViolation("paragraph", what))
    for key in ("startOffset", "endOffset"):
        if not is_count(value.get(key)):
            found = f'"{key}" is {quote(value.get(key))}, expected a whole number from 0 on'
            problems.append(RuleViolation("offset", found))
    if problems:
        return problems
    first = int(value["start"]), value["startOffset"]
    last = int(value["end"]), value["endOffset"]
    if not first < last:
        found = f"it starts at {first[1]} of {first[0]} and ends at {last[1]} of {last[0]}: no text"
        return [RuleViolation("empty_span", found)]
    return ()


def check_audio(value: Value, result: Value) -> Problems:
    """Check `start` and `end` in seconds."""
    problems = [*_second_problems(value, "start"), *_second_problems(value, "end")]
    channel = value.get("channel")
    if channel is not None and not is_count(channel):
        problems.append(
            RuleViolation("channel", f'"channel" is {quote(channel)}, expected 0, 1, …')
        )
    if problems:
        return problems
    if not value["start"] < value["end"]:
        found = f'"start" is {value["start"]:g} s, "end" {value["end"]:g} s: no time between them'
        return [RuleViolation("empty_span", found)]
    length = result.get("original_length")
    if is_number(length) and value["end"] > length + END_TOLERANCE_SECONDS:
        return [
            RuleViolation(
                "past_the_end", f'"end" is {value["end"]:g} s of a length of {length:g} s'
            )
        ]
    return ()


def _second_problems(value: Value, key: str) -> Iterator[RuleViolation]:
    yield from number_problems(value, key, float("-inf"), float("inf"))
    if is_number(value.get(key)) and value[key] < 0:
        yield RuleViolation("offset", f'"{key}" is {quote(value[key])}, expected seconds from 0 on')


def timeseries_check(target: ObjectTag | None) -> Check:
    """Return a check of `start` and `end` in the units of the time column; equal for an `instant`.

    Text that is not in the tag's `timeFormat` makes the editor show nothing at all.
    """
    written = target.attrs.get("timeFormat") if target else None

    def check(value: Value, result: Value) -> Problems:
        problems = [
            problem for key in ("start", "end") for problem in _time_problems(value, key, written)
        ]
        start, end = value.get("start"), value.get("end")
        if problems or isinstance(start, str) is not isinstance(end, str):
            return problems
        if start == end and value.get("instant") is not True:
            what = f'"start" and "end" are {quote(start)}; for one moment add "instant": true'
            return [RuleViolation("empty_span", what)]
        if is_number(start) and is_number(end) and start > end:
            return [RuleViolation("empty_span", f'"start" is {start:g}, "end" {end:g}')]
        return ()

    return check


def _time_problems(value: Value, key: str, written: str | None) -> Iterator[RuleViolation]:
    found = value.get(key)
    if found is None:
        yield RuleViolation("missing_key", f'"{key}" is missing')
    elif isinstance(found, str):
        if not (_matches(found, written) if written else _is_numeric(found)):
            expected = f"the timeFormat {written}" if written else "a number"
            yield RuleViolation("wrong_format", f'"{key}" is {quote(found)}, expected {expected}')
    elif not is_number(found):
        what = f'"{key}" is {quote(found)}, expected a time as the time column has them'
        yield RuleViolation("not_a_number", what)


def _matches(text: str, written: str) -> bool:
    """Return whether a time has a format; true for formats that the editor does not know."""
    return parse_time(text, written) is not None or unknown_directive(written) is not None


def _is_numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


# Checks by object tag; `timeseries` makes one for a tag.
SPAN_CHECKS: Mapping[str, Check] = {
    "Text": check_text,
    "HyperText": check_hypertext,
    "Paragraphs": check_paragraphs,
    "Audio": check_audio,
    "AudioPlus": check_audio,
    "Video": check_timeline,
}

"""Table: JSON or CSV, as the editor lays it out."""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.content.records import write_table
from backends.prompt.question import TextPart
from shared.backend import DecodeError, ObjectTag, ValueTypeError
from shared.label_studio.task import describe_type

# The format's name, and the character that stands between it and its options.
_VALUE_TYPE = re.compile(r"(\w+)(.)?")
# Names of the two columns of what is no list of records, as the editor writes them.
PAIR_COLUMNS = ("Name", "Value")


class TableFormat(NamedTuple):
    """A Table's `valueType`: `json`, or `csv|separator=;|headless`; `url` says that it is fetched.

    Any character may stand in place of the bar (the editor's utils/data.js, parseTypeAndOption).
    """

    kind: str = "json"
    is_address: bool = False
    separator: str = ""
    headless: bool = False

    @classmethod
    def parse(cls, written: str) -> "TableFormat":
        """Read the attribute."""
        found = _VALUE_TYPE.match(written)
        if found is None:
            return cls()
        options = written.split(found[2])[1:] if found[2] else []
        named = dict(option.partition("=")[::2] for option in options)
        return cls(
            found[1].lower(), "url" in named, named.get("separator", ""), "headless" in named
        )


class TableRows(NamedTuple):
    """A table: the columns' names and the rows' cells."""

    columns: list[str]
    rows: list[list[Any]]


def read_table(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read a Table as one in Markdown, with as many rows as the limits allow."""
    made = TableFormat.parse(target.attrs.get("valueType", "json"))
    found = reading.task.object_value(target)
    if made.is_address:
        found = reading.media.read_text(_check_text(found, target), reading.task.id)
    table = _parse_csv(found, made, target) if made.kind == "csv" else _parse_json(found, target)
    text = write_table(table.columns, table.rows, reading.limits.rows)
    return ObjectContent((TextPart(target.name, text),))


def _check_text(found: Any, target: ObjectTag) -> str:
    if not isinstance(found, str):
        raise ValueTypeError(
            f"{target.shown_value} should be a string for {target} with valueType="
            f'"{target.attrs.get("valueType", "")}", found {describe_type(found)}'
        )
    return found


def _parse_csv(found: Any, made: TableFormat, target: ObjectTag) -> TableRows:
    text = _check_text(found, target)
    try:
        separator = made.separator or _guess_separator(text)
        rows: list[list[Any]] = list(csv.reader(io.StringIO(text), delimiter=separator))
    except (csv.Error, TypeError) as error:
        raise DecodeError(f"What {target} shows is not readable CSV: {error}") from None
    width = max(map(len, rows), default=0)
    if made.headless:
        return TableRows([str(number) for number in range(width)], rows)
    columns = rows[0] if rows else []
    return TableRows(columns + [""] * (width - len(columns)), rows[1:])


def _guess_separator(text: str) -> str:
    try:
        return csv.Sniffer().sniff(text[:4096], delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _parse_json(found: Any, target: ObjectTag) -> TableRows:
    if isinstance(found, str):
        try:
            found = orjson.loads(found)
        except orjson.JSONDecodeError:
            raise DecodeError(f"What {target} shows by {target.shown_value} is not JSON") from None
    if isinstance(found, Mapping):
        return TableRows(
            list(PAIR_COLUMNS), [[key, found[key]] for key in sorted(found, key=str.lower)]
        )
    if not isinstance(found, list):
        raise ValueTypeError(
            f"{target.shown_value} should be an object or a list for {target}, found"
            f" {describe_type(found)}"
        )
    if found and isinstance(found[0], Mapping):
        records = [record for record in found if isinstance(record, Mapping)]
        columns = list(dict.fromkeys(key for record in records for key in record))
        return TableRows(columns, [[record.get(key) for key in columns] for record in records])
    return TableRows(list(PAIR_COLUMNS), [[number, part] for number, part in enumerate(found)])

"""Reads JSON of any size value by value, in constant memory, and locates syntax errors.

The standard library's scanner reads one value from a buffer and reports where it stopped. That is
as fast as a streaming parser in C, and gives each task's line, which those do not.
"""

import codecs
import json
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from json import JSONDecodeError
from typing import Any

import orjson

# Bytes to read at a time.
READ_BYTES = 1 << 20
# Upper limit of one value; more means that a bracket is missing.
MAX_VALUE_CHARACTERS = 1 << 28
# An error this close to the buffer's end may be a cut token; `-Infinity` is the longest.
CUT_CHARACTERS = 16


class JsonSyntaxError(Exception):
    """A syntax error, with its line and column counted from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.line = line


class JsonStream:
    """Reads the values of a UTF-8 text: the items of one list, or successive values."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder(parse_constant=self._note_constant).raw_decode
        self._scan_any_number = json.JSONDecoder(
            parse_constant=self._note_constant, parse_int=self._read_integer
        ).raw_decode
        self._text, self._at = "", 0
        self._line, self._column, self._counted = 1, 1, 0
        self._ended, self._fault = False, ""
        self._not_json = ""

    def list_items(self) -> Iterator[tuple[int, Any, str]]:
        """Yield for each item of a list its line, its value, and what in it is not valid JSON.

        JsonSyntaxError tells where the list breaks off.
        """
        self._expect("[", "a list")
        if self._peek() != "]":
            yield self._read_value()
            while self._peek() == ",":
                self._at += 1
                yield self._read_value()
        self._expect("]", 'a comma or the list\'s "]"')
        if self._peek():
            raise self._syntax_error("There is more after the list's end")

    def successive_values(self) -> Iterator[tuple[int, Any, str]]:
        """Yield successive values in the form of `list_items`."""
        while self._peek():
            yield self._read_value()

    def _read_value(self) -> tuple[int, Any, str]:
        self._peek()
        self._not_json = ""
        self._update_position()
        line = self._line
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except JSONDecodeError as error:
                if not (self._is_cut(error) and self._read_more()):
                    raise self._syntax_error(_describe_error(error), error.pos) from None
            except ValueError:  # Python refuses integers of more than 4,300 digits
                self._scan = self._scan_any_number
            except RecursionError:
                raise self._syntax_error("The value is nested too deep") from None
            else:
                near = end >= len(self._text) - (
                    CUT_CHARACTERS if isinstance(value, int | float) else 0
                )
                if not (near and self._read_more()):  # 12 may be the start of 12.5e6
                    self._at = end
                    return line, value, self._not_json

    def _is_cut(self, error: JSONDecodeError) -> bool:
        """Return whether the error may come from the end of the buffer."""
        return error.msg.startswith("Unterminated") or error.pos >= len(self._text) - CUT_CHARACTERS

    def _peek(self) -> str:
        """Skip whitespace and return the next character; an empty string at the end."""
        while True:
            while self._at < len(self._text):
                if (character := self._text[self._at]) not in " \t\r\n":
                    return character
                self._at += 1
            if not self._read_more():
                if self._fault:
                    raise self._syntax_error("The text breaks off")
                return ""

    def _expect(self, character: str, expected: str) -> None:
        found = self._peek()
        if found != character:
            what = f"found {json.dumps(found)}" if found else "the file ends"
            raise self._syntax_error(f"Expected {expected}, {what}")
        self._at += 1

    def _read_more(self) -> bool:
        """Extend the buffer; False at the end. It at least doubles, so that the work is linear."""
        if self._ended:
            return False
        left = len(self._text) - self._at
        if left > MAX_VALUE_CHARACTERS:
            raise self._syntax_error(f"One value has more than {MAX_VALUE_CHARACTERS} characters")
        self._drop_consumed()
        self._text += self._read_text(max(READ_BYTES, left))
        return True

    def _read_text(self, size: int) -> str:
        try:
            data = self._read_bytes(size)
            return self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            self._ended, self._fault = True, f"byte 0x{error.object[error.start]:02x} is not UTF-8"
            return error.object[: error.start].decode()

    def _read_bytes(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end or where the file is faulty."""
        data = bytearray()
        try:
            while len(data) < size and not self._ended:
                piece = self._file.read1(size - len(data))
                self._ended = not piece
                data += piece
        except (OSError, EOFError, zlib.error) as error:
            self._ended, self._fault = True, f"the rest of the file cannot be read: {error}"
        return bytes(data)

    def _update_position(self) -> None:
        """Count lines and columns up to the current position."""
        lines = self._text.count("\n", self._counted, self._at)
        if lines:
            self._column = self._at - self._text.rfind("\n", self._counted, self._at)
        else:
            self._column += self._at - self._counted
        self._line, self._counted = self._line + lines, self._at

    def _drop_consumed(self) -> None:
        """Drop the text before the current position."""
        self._update_position()
        self._text, self._at, self._counted = self._text[self._at :], 0, 0

    def _note_constant(self, name: str) -> None:
        self._not_json = f"{name} is not a JSON number; Label Studio refuses the file"

    def _read_integer(self, digits: str) -> int:
        try:
            return int(digits)
        except ValueError:
            self._not_json = f"a number has {len(digits)} digits, more than can be read"
            return 0

    def _syntax_error(self, message: str, place: int | None = None) -> JsonSyntaxError:
        self._at = self._at if place is None else place
        self._update_position()
        fault = f": {self._fault}" if self._fault else ""
        return JsonSyntaxError(message + fault, self._line, self._column)


def dump_line(value: Any) -> bytes:
    """Return a line of JSON Lines. Lone surrogates, which orjson refuses, are escaped."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(value).encode() + b"\n"


def load_line(line: bytes) -> Any:
    """Return the value of a line of JSON Lines; ValueError if it is not JSON."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if b"\\u" in line:
            return json.loads(line, parse_constant=_refuse_constant)
        raise ValueError(_describe_error(error)) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _describe_error(error: JSONDecodeError) -> str:
    where = f" (column {error.colno})" if isinstance(error, orjson.JSONDecodeError) else ""
    return f"Not JSON: {error.msg.partition(': line ')[0]}{where}"

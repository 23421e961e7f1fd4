"""Dates: asked for as ISO 8601 writes them, and written as a DateTime tag has them."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Literal, TypeAlias

from backends.prompt.answer_schema.keywords import Schema
from shared.backend import Control

DateKind: TypeAlias = Literal["date", "time", "year", "date-time"]

# How each kind is asked for.
PATTERNS: Mapping[DateKind, str] = {
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "time": r"^\d{2}:\d{2}$",
    "year": r"^\d{4}$",
    "date-time": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$",
}


def describe_date(control: Control, sources: Mapping[str, Any]) -> Schema:
    """Return the schema of a date or time."""
    return {"type": "string", "pattern": PATTERNS[date_kind(control)]}


def date_kind(control: Control) -> DateKind:
    """Return what a DateTime tag takes: its attribute `only` says so."""
    only = {part.strip() for part in control.attrs.get("only", "").split(",")} - {""}
    if only == {"time"}:
        return "time"
    if only == {"year"}:
        return "year"
    return "date" if only and "time" not in only else "date-time"


def parse_date(kind: DateKind, text: str) -> date | time | datetime | str:
    """Return what a model wrote as the builder takes it; ValueError if it is no such date."""
    if kind == "time":
        return time.fromisoformat(text)
    if kind == "year":
        datetime.strptime(text, "%Y")
        return text
    return date.fromisoformat(text) if kind == "date" else datetime.fromisoformat(text)

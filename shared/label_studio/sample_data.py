"""Data for a label config: a value of ours for each key that it shows, to try it at once."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.label_studio.label_config import LabelConfig, ObjectTag, WrittenTag
from shared.label_studio.variables import key_of, keys_of
from shared.media import sample_files
from shared.media.sample_files import to_data_url

TEXTS = (
    "Angela Berg met Thomas Hill at Northwind Systems in Lisbon on 3 May 2024. It rained all day.",
    "Thomas Hill paid 120 euros for the ticket and wrote to Angela on Monday.",
    "The team from Porto won the match by two goals.",
    "Fresh bread and tomato soup were served at noon.",
)
MESSAGES = (
    ("user", "Is there a train from Porto to Lisbon on Monday?"),
    ("assistant", "Yes, at 10:30 am. It takes three hours, and a ticket costs 35 euros."),
    ("user", "Good. Please book a seat at the window."),
    ("assistant", "Seat 42 at the window is yours."),
)
CHAT = [{"role": role, "content": text} for role, text in MESSAGES]
ITEMS = (
    ("first", "First answer", "A train leaves at 10:30 am."),
    ("second", "Second answer", "There is no train on Monday."),
    ("third", "Third answer", "Take the bus; it is cheaper."),
)
TABLE = {"Name": "Angela Berg", "City": "Lisbon", "Date": "3 May 2024", "Amount": "120 euros"}
# Labels that a task brings, on pictures and elsewhere.
SHAPES = ("Circle", "Square", "Triangle")
TOPICS = ("Weather", "Sports", "Business")
# Of the series: rows, the row from which on it is higher, and that of a spike.
ROWS = 240
CHANGE = 150
SPIKE = 60
START = datetime(2024, 5, 3)
# Attributes of object tags, other than the value, that may be variables.
OTHER_VALUES: Mapping[str, Any] = {"minmessages": 2, "maxmessages": 10}


def make_sample_data(config: LabelConfig) -> dict[str, Any]:
    """Return data for a task: texts, pictures, sound, series and labels, by the keys of the tags.

    Several texts, or several pictures, differ from each other.
    """
    data: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    for target in config.objects.values():
        for key in keys_of(target.value):
            number = numbers[target.tag] = numbers.get(target.tag, -1) + 1
            data.setdefault(key, _sample_of(target, number, config))
    for control in config.dynamic_controls:
        shown = {config.objects[name].tag for name in control.to_names if name in config.objects}
        names = SHAPES if shown & {"Image", "Video"} else TOPICS
        for key in keys_of(control.attrs.get("value", "")):
            data.setdefault(key, [{"value": name} for name in names])
    for key, value in _other_values(config):
        data.setdefault(key, value)
    return data


def _sample_of(target: ObjectTag, number: int, config: LabelConfig) -> Any:
    make = MAKERS.get(target.tag)
    return "" if make is None else make(target, number, config)


def _other_values(config: LabelConfig) -> Iterator[tuple[str, Any]]:
    """Yield the keys of other attributes than the value, with what they may hold."""
    for tag in config.objects.values():
        for name, written in tag.attrs.items():
            key = key_of(written)
            if key is not None and name.lower() in OTHER_VALUES:
                yield key, OTHER_VALUES[name.lower()]
            elif key is not None and name.lower() == "audiourl":
                yield key, _make_sound(tag, 0, config)
    for control in config.controls:  # an editable Chat is its own control tag
        if control.tag == "Chat" and (key := key_of(control.attrs.get("value", ""))):
            yield key, CHAT[:-1]


def _make_text(target: ObjectTag, number: int, config: LabelConfig) -> str:
    text = TEXTS[number % len(TEXTS)]
    text = f"<p>{text}</p>" if target.tag == "HyperText" else text
    kind = "text/html" if target.tag == "HyperText" else "text/plain"
    return to_data_url(text.encode(), kind) if target.value_is_url else text


def _make_paragraphs(target: ObjectTag, number: int, config: LabelConfig) -> list[Any]:
    name_key = target.attrs.get("nameKey") or "author"
    text_key = target.attrs.get("textKey") or "text"
    return [{name_key: name, text_key: text} for name, text in MESSAGES]


def _make_chat(target: ObjectTag, number: int, config: LabelConfig) -> list[Any]:
    return CHAT


def _make_list(target: ObjectTag, number: int, config: LabelConfig) -> list[Any]:
    return [{"id": name, "title": title, "body": text} for name, title, text in ITEMS]


def _make_table(target: ObjectTag, number: int, config: LabelConfig) -> dict[str, str]:
    return dict(TABLE)


def _make_picture(target: ObjectTag, number: int, config: LabelConfig) -> Any:
    urls = [
        to_data_url(sample_files.sample_picture(one), "image/png") for one in (number, number + 1)
    ]
    return urls if target.is_list else urls[0]


def _make_sound(target: ObjectTag, number: int, config: LabelConfig) -> str:
    """Return the recording; a video's address where the same key is shown as one."""
    shown = [t.tag for t in config.objects.values() if t.key == target.key]
    if "Video" in shown:
        return _make_video(target, number, config)
    return to_data_url(sample_files.sample_sound(), "audio/wav")


def _make_video(target: ObjectTag, number: int, config: LabelConfig) -> str:
    return to_data_url(sample_files.sample_video(), "video/webm")


def _make_document(target: ObjectTag, number: int, config: LabelConfig) -> str:
    return to_data_url(sample_files.sample_document(), "application/pdf")


def _make_series(target: ObjectTag, number: int, config: LabelConfig) -> Any:
    """Return the columns that the tag names: as JSON, or as a table at an address."""
    time_format = target.attrs.get("timeFormat")
    columns: dict[str, list[Any]] = {}
    if time_column := target.attrs.get("timeColumn"):
        columns[time_column] = [
            (START + timedelta(minutes=row)).strftime(time_format) if time_format else row
            for row in range(ROWS)
        ]
    for place, name in enumerate(_channel_columns(target, config)):
        columns[name] = [_series_value(row, place) for row in range(ROWS)]
    if target.attrs.get("valueType", "url") == "json":
        return columns
    separator = target.attrs.get("sep") or ","
    rows = [separator.join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    table = "\n".join([separator.join(columns), *rows])
    return to_data_url(table.encode(), "text/csv")


def _series_value(row: int, channel: int) -> float:
    """Return a small wave, which is higher from a row on, and has a spike in the first channel."""
    level = 10.0 if row < CHANGE else 14.0
    spike = 6.0 if row == SPIKE and channel == 0 else 0.0
    return round(level + 0.5 * math.sin(row / 5 + channel) + spike, 3)


def _channel_columns(target: ObjectTag, config: LabelConfig) -> list[str]:
    """Return the columns of the channels inside the tag, in their order."""
    inside = False
    columns: dict[str, None] = {}
    for tag in config.written_tags():
        inside = _is_inside(tag, target, inside)
        if inside and tag.name.lower() == "channel" and tag.attrs.get("column"):
            columns[tag.attrs["column"]] = None
    return list(columns)


def _is_inside(tag: WrittenTag, target: ObjectTag, inside: bool) -> bool:
    if tag.name.lower() == "timeseries":
        return tag.attrs.get("name") == target.name
    return inside and "timeseries" in map(str.lower, tag.ancestors)


MAKERS: Mapping[str, Callable[[ObjectTag, int, LabelConfig], Any]] = {
    "Text": _make_text,
    "HyperText": _make_text,
    "Paragraphs": _make_paragraphs,
    "Chat": _make_chat,
    "List": _make_list,
    "Table": _make_table,
    "Image": _make_picture,
    "Audio": _make_sound,
    "AudioPlus": _make_sound,
    "Video": _make_video,
    "Pdf": _make_document,
    "TimeSeries": _make_series,
}
"""What an object tag shows, by the tag's name."""

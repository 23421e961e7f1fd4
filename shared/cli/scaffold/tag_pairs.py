"""Every pair of a control tag and an object tag that `prelabel new` can make a backend for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.cli.scaffold import example_data
from shared.cli.scaffold.templates import (
    audio,
    clip,
    image,
    series,
    sound,
    text,
    timeseries,
    video,
    whole_task,
)

Example = Callable[[Path, Callable[[str], str]], list[dict[str, Any]]]
# A definition of a module, such as (image, "Model") or (text, "Spans.read").
Piece = tuple[ModuleType, str]


@dataclass(frozen=True)
class ObjectSeed:
    """An object tag: how it is written, read and shown, and the packages that reading takes."""

    xml: str
    example: Example
    measure: Piece
    read: Piece | None = None
    item: ModuleType | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class ControlSeed:
    """A control tag: how it is written, its stand-in for a model, and its regions.

    `model` is the class and what it needs, `regions` the methods, and `shape` what follows the
    class; `read` goes before the object tag's.
    """

    xml: str
    model: tuple[Piece, ...]
    regions: tuple[Piece, ...]
    shape: tuple[Piece, ...] = ()
    measures: bool = False
    read: Piece | None = None
    example: Example | None = None
    objects: str = ""


# Object tags on which whole-task answers can be given.
OBJECTS = {
    "Image": ObjectSeed(
        '<Image name="image" value="$image"/>', example_data.images, (image, "brightness")
    ),
    "Text": ObjectSeed(
        '<Text name="text" value="$text"/>',
        example_data.texts,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "HyperText": ObjectSeed(
        '<HyperText name="hypertext" value="$hypertext"/>',
        example_data.hypertexts,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "Paragraphs": ObjectSeed(
        '<Paragraphs name="paragraphs" value="$paragraphs" nameKey="author" textKey="text"'
        ' layout="dialogue"/>',
        example_data.paragraphs,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "Audio": ObjectSeed(
        '<Audio name="audio" value="$audio"/>',
        example_data.sounds,
        (audio, "loudness"),
        (audio, "Spans.read"),
        sound,
    ),
    "Video": ObjectSeed(
        '<Video name="video" value="$video" frameRate="24"/>',
        example_data.videos,
        (video, "brightness"),
        (video, "Tracks.read"),
        clip,
        ("av>=14",),
    ),
    "TimeSeries": ObjectSeed(
        '<TimeSeries name="timeseries" value="$timeseries" valueType="json" timeColumn="time">'
        '<Channel column="value"/></TimeSeries>',
        example_data.series,
        (timeseries, "level"),
        (timeseries, "Spans.read"),
        series,
    ),
}

LIST = ObjectSeed(
    '<List name="list" value="$list"/>', example_data.lists, (whole_task, "title_length")
)


def _answer(xml: str, model: str, regions: str, *more: str) -> ControlSeed:
    pieces = tuple((whole_task, f"{regions}.{name}") for name in (*more, "regions"))
    return ControlSeed(xml, ((whole_task, model),), pieces, measures=True)


CHOICES = '<Choice value="Low"/><Choice value="High"/>'
# On every object tag.
WHOLE_TASK = {
    "Choices": _answer(CHOICES, "Classifier", "Chosen", "options"),
    "Taxonomy": _answer(
        f'<Choice value="Level">{CHOICES}</Choice>', "Classifier", "Chosen", "options"
    ),
    "Rating": _answer("", "Measure", "Rated"),
    "Number": _answer("", "Measure", "Counted"),
    "DateTime": _answer("", "Calendar", "Said"),
    "TextArea": _answer("", "Writer", "Said"),
}

_ON_IMAGES = {
    "Rectangle": "shape",
    "Polygon": "polygon",
    "Ellipse": "ellipse",
    "KeyPoint": "key_point",
    "Brush": "brush",
    "Bitmask": "bitmask",
    "Vector": "vector",
}


def _drawn(shape: str, kind: str) -> ControlSeed:
    label = '<Label value="Spot"/>' if kind == "Labelled" else ""
    model = tuple((image, name) for name in ("Found", "Model", "find"))
    return ControlSeed(label, model, ((image, f"{kind}.regions"),), ((image, shape),))


def _spans(module: ModuleType, label: str, *found: str, regions: str = "Spans") -> ControlSeed:
    model = tuple((module, name) for name in found or ("Found", "Model", "find"))
    xml = f'<Label value="{label}"/>' if label else ""
    return ControlSeed(xml, model, ((module, f"{regions}.regions"),))


def _compared(tag: str, kind: str, measure: Piece, example: Example) -> ControlSeed:
    sides = "".join(f'<{tag} name="{side}" value="${side}"/>' for side in ("left", "right"))
    return ControlSeed(
        "",
        ((whole_task, "Judge"), measure),
        ((whole_task, "Compared.regions"),),
        measures=True,
        read=(whole_task, f"{kind}.read"),
        example=example,
        objects=sides,
    )


# Control tags that have a place on one object tag.
OWN = {
    **{(tag, "Image"): _drawn(shape, "Bare") for tag, shape in _ON_IMAGES.items()},
    **{(f"{tag}Labels", "Image"): _drawn(shape, "Labelled") for tag, shape in _ON_IMAGES.items()},
    ("Labels", "Text"): _spans(text, "Word"),
    ("HyperTextLabels", "HyperText"): _spans(text, "Word"),
    ("ParagraphLabels", "Paragraphs"): _spans(text, "Word"),
    ("Labels", "Audio"): _spans(audio, "Loud"),
    ("TimeSeriesLabels", "TimeSeries"): _spans(timeseries, "High"),
    ("VideoRectangle", "Video"): _spans(video, "", "Box", "Tracker", "follow", regions="Tracks"),
    ("TimelineLabels", "Video"): _spans(video, "Bright", "Span", "Model", "find"),
    ("Pairwise", "Text"): _compared(
        "Text", "Texts", (whole_task, "length"), example_data.text_pairs
    ),
    ("Pairwise", "Image"): _compared(
        "Image", "Images", (image, "brightness"), example_data.image_pairs
    ),
    ("Ranker", "List"): ControlSeed(
        "",
        ((whole_task, "Sorter"), (whole_task, "title_length")),
        ((whole_task, "Compared.regions"),),
        read=(whole_task, "Ranked.read"),
    ),
}

PAIRS: dict[tuple[str, str], tuple[ControlSeed, ObjectSeed]] = {
    **{pair: (seed, OBJECTS.get(pair[1], LIST)) for pair, seed in OWN.items()},
    **{
        (control, target): (seed, OBJECTS[target])
        for target in OBJECTS
        for control, seed in WHOLE_TASK.items()
    },
}

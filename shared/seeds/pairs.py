"""Every pair of a control tag and an object tag that `prelabel new` can make a backend for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.seeds import (
    answers,
    audio,
    clip,
    examples,
    image,
    series,
    sound,
    text,
    timeseries,
    video,
)

Example = Callable[[Path, Callable[[str], str]], list[dict[str, Any]]]
Piece = tuple[ModuleType, str]
"""A definition of a module, such as (image, "Model") or (text, "Spans.read")."""


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


OBJECTS = {
    "Image": ObjectSeed(
        '<Image name="image" value="$image"/>', examples.images, (image, "brightness")
    ),
    "Text": ObjectSeed(
        '<Text name="text" value="$text"/>',
        examples.texts,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "HyperText": ObjectSeed(
        '<HyperText name="hypertext" value="$hypertext"/>',
        examples.hypertexts,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "Paragraphs": ObjectSeed(
        '<Paragraphs name="paragraphs" value="$paragraphs" nameKey="author" textKey="text"'
        ' layout="dialogue"/>',
        examples.paragraphs,
        (text, "wordiness"),
        (text, "Spans.read"),
    ),
    "Audio": ObjectSeed(
        '<Audio name="audio" value="$audio"/>',
        examples.sounds,
        (audio, "loudness"),
        (audio, "Spans.read"),
        sound,
    ),
    "Video": ObjectSeed(
        '<Video name="video" value="$video" frameRate="24"/>',
        examples.videos,
        (video, "brightness"),
        (video, "Tracks.read"),
        clip,
        ("av>=14",),
    ),
    "TimeSeries": ObjectSeed(
        '<TimeSeries name="timeseries" value="$timeseries" valueType="json" timeColumn="time">'
        '<Channel column="value"/></TimeSeries>',
        examples.series,
        (timeseries, "level"),
        (timeseries, "Spans.read"),
        series,
    ),
}
"""Object tags on which whole-task answers can be given."""

LIST = ObjectSeed('<List name="list" value="$list"/>', examples.lists, (answers, "title_length"))


def _answer(xml: str, model: str, regions: str, *more: str) -> ControlSeed:
    pieces = tuple((answers, f"{regions}.{name}") for name in (*more, "regions"))
    return ControlSeed(xml, ((answers, model),), pieces, measures=True)


CHOICES = '<Choice value="Low"/><Choice value="High"/>'
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
"""On every object tag."""

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
        ((answers, "Judge"), measure),
        ((answers, "Compared.regions"),),
        measures=True,
        read=(answers, f"{kind}.read"),
        example=example,
        objects=sides,
    )


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
    ("Pairwise", "Text"): _compared("Text", "Texts", (answers, "length"), examples.text_pairs),
    ("Pairwise", "Image"): _compared(
        "Image", "Images", (image, "brightness"), examples.image_pairs
    ),
    ("Ranker", "List"): ControlSeed(
        "",
        ((answers, "Sorter"), (answers, "title_length")),
        ((answers, "Compared.regions"),),
        read=(answers, "Ranked.read"),
    ),
}
"""Control tags that have a place on one object tag."""

PAIRS: dict[tuple[str, str], tuple[ControlSeed, ObjectSeed]] = {
    **{pair: (seed, OBJECTS.get(pair[1], LIST)) for pair, seed in OWN.items()},
    **{
        (control, target): (seed, OBJECTS[target])
        for target in OBJECTS
        for control, seed in WHOLE_TASK.items()
    },
}

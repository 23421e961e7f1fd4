"""Boxes on pictures: what a vision model wrote, in pixels of the original picture."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from backends.prompt.answer_schema.boxes import BOX, PICTURE, TEXT
from backends.prompt.answer_schema.spans import LABEL, LABELS
from backends.prompt.box_formats import BoxError, PixelBox, read_box
from backends.prompt.content.pictures import SentPicture, SentPictures
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.items import (
    attach_values,
    describing_answers,
    item_labels,
    item_score,
)
from backends.prompt.regions.spans import build_spans
from shared.backend import Control, Passages
from shared.results import Omission, PageBox, PageSize, Rectangle, Region, region
from shared.results.validation.finding import quote

# The rule under which boxes that lie nowhere are counted, as `dropped_box`.
BOX_RULE = "box"


class PlacedBox(NamedTuple):
    """A box with its picture, its labels and, on pages, the text in it."""

    picture: SentPicture
    box: PixelBox
    labels: tuple[str, ...]
    text: str = ""


def build_boxes(found: ControlAnswer) -> Iterator[Region | Omission]:
    """Yield a region for each box with a place on its picture; the same box twice is one.

    On a PDF with a text layer they are found by what stands in them.
    """
    source = found.source
    if isinstance(source, Passages):
        yield from build_spans(found)
    if not isinstance(source, SentPictures) or source.box_format is None:
        return
    seen: set[PlacedBox] = set()
    for index, item in enumerate(found.value if isinstance(found.value, list) else ()):
        try:
            placed = _place_item(item, source, found.control)
        except BoxError as error:
            yield Omission(BOX_RULE, f"{found.control}: the box {quote(item)}: {error}")
            continue
        if placed not in seen:
            seen.add(placed)
            yield from _build_box(found, index, placed)


def _place_item(item: Any, source: SentPictures, control: Control) -> PlacedBox:
    """Return what an item says; BoxError if it is no box, lies nowhere, or has no known label."""
    if not isinstance(item, Mapping) or not isinstance(item.get(BOX), list):
        raise BoxError("a box has four numbers")
    picture = _pick_picture(item.get(PICTURE, 1), source)
    box = read_box(item[BOX], source.box_format or "xyxy_1000", picture)
    labels = item_labels(item, control) if item.keys() & {LABEL, LABELS} else ()
    unknown = [label for label in labels if label not in control.labels]
    if unknown or not labels:
        raise BoxError(f"{control} has no label {quote(unknown[0])}" if unknown else "no label")
    text = item.get(TEXT)
    return PlacedBox(picture, box, labels, text.strip() if isinstance(text, str) else "")


def _pick_picture(number: Any, source: SentPictures) -> SentPicture:
    if not isinstance(number, int) or not 1 <= number <= len(source.pictures):
        raise BoxError(f"there is no picture {number}, only {len(source.pictures)}")
    return source.pictures[number - 1]


def _build_box(found: ControlAnswer, index: int, placed: PlacedBox) -> Iterator[Region | Omission]:
    values = {found.control: list(placed.labels)}
    score, number = item_score(found, index), placed.picture.item_index
    if found.control.tag == "OcrLabels":
        drawn = region(_to_page_box(placed), values, _page_sizes(found.source), score)
    else:
        place = {} if number is None else {"item_index": number}
        shape, size = Rectangle.from_xyxy(placed.box), placed.picture.original_size
        drawn = region(shape, values, size, score, **place)
    whole, omissions = attach_values(drawn, describing_answers(found, index, placed.labels))
    yield whole
    yield from omissions


def _to_page_box(placed: PlacedBox) -> PageBox:
    left, top, right, bottom = placed.box
    page = placed.picture.item_index or 0
    return PageBox(page, left, top, right - left, bottom - top, text=placed.text)


def _page_sizes(source: SentPictures) -> tuple[PageSize, ...]:
    return tuple(PageSize(*picture.original_size) for picture in source.pictures)

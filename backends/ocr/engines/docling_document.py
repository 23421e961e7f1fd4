"""A DoclingDocument as JSON: the parts of its one page, in pixels of the picture that was sent.

The format: https://docling-project.github.io/docling/concepts/docling_document/
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from backends.ocr.layout.page import Block
from shared.media.image_size import ImageSize

# What is no part of the page as people see it.
HIDDEN_LAYERS = frozenset({"background", "invisible", "notes"})
# Cells of tables are named as Label Studio's own example names them.
CELL_NAMES = ("column_header", "row_header", "row_section", "table_merged_cell", "table_cell")
# The names of all parts, each with the names that label configs have for it.
ALIASES: Mapping[str, Sequence[str]] = {
    "title": ("Document title", "Doc title", "Heading", "Headline"),
    "section_header": ("Heading", "Headline", "Subtitle", "Paragraph title", "Title"),
    "text": ("Paragraph", "Plain text", "Text block", "Body", "Body text"),
    "paragraph": ("Text", "Plain text", "Text block", "Body", "Body text"),
    "list_item": ("List",),
    "table": (),
    "picture": ("Figure", "Image", "Illustration"),
    "chart": ("Picture", "Figure", "Image"),
    "caption": ("Figure caption", "Table caption"),
    "footnote": (),
    "formula": ("Equation",),
    "code": (),
    "page_header": ("Header",),
    "page_footer": ("Footer",),
    "document_index": ("Index", "Table of contents", "Content"),
    "form": (),
    "key_value_region": ("Key value",),
    "checkbox_selected": ("Checkbox",),
    "checkbox_unselected": ("Checkbox",),
    "handwritten_text": ("Handwriting", "Handwritten"),
    "grading_scale": (),
    "empty_value": (),
    "reference": ("References", "Bibliography"),
    "field_region": (),
    "field_heading": (),
    "field_item": (),
    "field_key": ("Key",),
    "field_value": ("Value",),
    "field_hint": (),
    "marker": (),
    "column_header": (),
    "row_header": (),
    "row_section": (),
    "table_merged_cell": ("Merged cell",),
    "table_cell": ("Cell",),
}


def read_blocks(document: Mapping[str, Any], size: ImageSize) -> list[Block]:
    """Return what the page has, in reading order; each table's cells after the table.

    Raises:
        ValueError: it has another number of pages than one, or a box that is none.
        KeyError, TypeError, AttributeError, IndexError: it is no DoclingDocument.
    """
    pages = document["pages"]
    if len(pages) != 1:
        raise ValueError(f"it has {len(pages)} pages, and one was sent")
    [page] = pages.values()
    frame = _Frame(page, size)
    return [block for item in _walk(document) for block in _read_item(item, frame)]


class _Frame:
    """A page whose boxes become those of the picture: `width` × `height` in any unit."""

    def __init__(self, page: Mapping[str, Any], size: ImageSize) -> None:
        self.number = page["page_no"]
        self._width, self._height = float(page["size"]["width"]), float(page["size"]["height"])
        if not (self._width > 0 and self._height > 0 and math.isfinite(self._width * self._height)):
            raise ValueError(f"its page has the size {page['size']}")
        self._size = size

    def to_pixels(self, box: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
        """Return left, top, right and bottom, within the picture; None if nothing is there."""
        across = sorted((float(box["l"]), float(box["r"])))
        down = sorted((float(box["t"]), float(box["b"])))
        if not all(map(math.isfinite, (*across, *down))):
            raise ValueError(f"a box of it is {box}")
        if box["coord_origin"] == "BOTTOMLEFT":
            down = [self._height - edge for edge in reversed(down)]
        left, right = (_scale(edge, self._width, self._size.width) for edge in across)
        top, bottom = (_scale(edge, self._height, self._size.height) for edge in down)
        return (left, top, right, bottom) if left < right and top < bottom else None


def _scale(edge: float, length: float, pixels: int) -> float:
    return min(max(edge * pixels / length, 0.0), float(pixels))


def _walk(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the items below the body, those that it shows; each once.

    Of what is in a picture only its caption is one: a label in a chart is a part of it.
    """
    seen: set[int] = set()
    waiting: list[Mapping[str, Any]] = [document["body"]]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if item.get("content_layer", "body") not in HIDDEN_LAYERS:
            yield item
        references = _references(item, "children")
        if item.get("label") in {"picture", "chart"}:
            captions = set(_references(item, "captions"))
            references = [reference for reference in references if reference in captions]
        waiting += [_resolve(document, reference) for reference in reversed(references)]


def _references(item: Mapping[str, Any], key: str) -> list[str]:
    """Return what a list of references names: `$ref`, or `cref` as Python calls it."""
    return [str(one["$ref"] if "$ref" in one else one["cref"]) for one in item.get(key) or ()]


def _resolve(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """Return what "#/texts/3" points to."""
    _, name, number = reference.split("/")
    item: Mapping[str, Any] = document[name][int(number)]
    return item


def _read_item(item: Mapping[str, Any], frame: _Frame) -> Iterable[Block]:
    """Yield a block for each place of an item: a text may go on in the next column."""
    name, places = str(item.get("label", "")), item.get("prov") or ()
    for place in places:
        if place["page_no"] != frame.number:
            raise ValueError(f"a part of it is on page {place['page_no']}")
        box = frame.to_pixels(place["bbox"])
        if box is not None:
            whole = len(places) == 1
            yield Block(box, name, None, _text_of(item) if whole else _text_at(item, place))
    for cell in _cells_of(item) if places else ():
        box = None if cell.get("bbox") is None else frame.to_pixels(cell["bbox"])
        if box is not None:
            yield Block(box, _cell_name(cell), None, str(cell["text"]), is_inside=True)


def _text_of(item: Mapping[str, Any]) -> str:
    """Return an item's text; of a table its rows, with a tab between cells."""
    rows: dict[int, list[str]] = {}
    for cell in _cells_of(item):
        rows.setdefault(int(cell["start_row_offset_idx"]), []).append(
            " ".join(cell["text"].split())
        )
    if rows:
        return "\n".join("\t".join(rows[number]) for number in sorted(rows))
    return str(item.get("text") or "").strip()


def _text_at(item: Mapping[str, Any], place: Mapping[str, Any]) -> str:
    """Return the part of an item's text that is at one of its places."""
    start, end = place["charspan"]
    return str(item.get("text") or "")[max(0, start) : max(0, end)].strip()


def _cells_of(item: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (item.get("data") or {}).get("table_cells") or ()
    return found


def _cell_name(cell: Mapping[str, Any]) -> str:
    for name in ("column_header", "row_header", "row_section"):
        if cell.get(name):
            return name
    spans = cell.get("row_span", 1), cell.get("col_span", 1)
    return "table_cell" if max(spans) == 1 else "table_merged_cell"

"""The text layer of a PDF: each page's characters, and the place of each on the page."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import DecodeError
from shared.media.document import open_pdf, pdfium_lock

# Characters of one page that are read; a dense page of a newspaper has about 20,000.
MAX_PAGE_CHARACTERS = 200_000
# Parts of a point to which places are measured: PDFium converts to whole pixels.
STEPS_PER_POINT = 100
# PDFium's character for a hyphen at the end of a line.
LINE_END_HYPHEN = 2


@dataclass(frozen=True, eq=False)
class PdfPageText:
    """The text of one page, as it is read, without line breaks of Windows.

    `boxes` has shape (characters, 4): left, top, right and bottom of each one in points from the
    upright page's top-left corner; NaN for what has no place, such as a line break.
    """

    width: float
    height: float
    text: str
    boxes: NDArray[np.float32] = field(repr=False)

    def box_of(self, start: int, end: int) -> tuple[float, float, float, float] | None:
        """Return the box around characters `start` to `end`; None if none of them has a place."""
        boxes = self.boxes[start:end]
        boxes = boxes[~np.isnan(boxes).any(axis=1)]
        if not len(boxes):
            return None
        left, top = boxes[:, :2].min(axis=0).tolist()
        right, bottom = boxes[:, 2:].max(axis=0).tolist()
        return left, top, right, bottom


def read_page_texts(data: bytes, most: int) -> Iterator[PdfPageText]:
    """Yield the texts of the first `most` pages; a scanned page's is empty.

    DecodeError if the file is damaged.
    """
    at = 0
    while at < most:
        with pdfium_lock:  # for each page, so that others get their turns
            document = open_pdf(data)
            try:
                if at >= len(document):
                    return
                page = _read_page(document, at)
            finally:
                document.close()
        yield page
        at += 1


def _read_page(document: Any, number: int) -> PdfPageText:
    from pypdfium2 import PdfiumError

    try:
        page = document[number]
        characters = page.get_textpage()
        found = list(_characters(page, characters))
    except (PdfiumError, ValueError) as error:
        raise DecodeError(f"Page {number + 1} of the PDF is damaged: {error}") from None
    boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
    text = "".join(character for character, _ in found)
    return PdfPageText(page.get_width(), page.get_height(), text, boxes)


NOWHERE = (np.nan,) * 4


def _characters(page: Any, characters: Any) -> Iterator[tuple[str, tuple[float, ...]]]:
    from pypdfium2 import raw

    before = 0
    for index in range(min(characters.count_chars(), MAX_PAGE_CHARACTERS)):
        code = int(raw.FPDFText_GetUnicode(characters, index))
        if 0xD800 <= code < 0xDC00:  # the first half of a character outside the basic plane
            before = code
            continue
        if before and 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((before - 0xD800) << 10) + (code - 0xDC00)
        before = 0
        code = ord("-") if code == LINE_END_HYPHEN else code
        if code in {0, 0x0D, 0xFFFE} or code > 0x10FFFF or 0xD800 <= code < 0xE000:
            continue
        yield chr(code), _place(page, characters, index)


def _place(page: Any, characters: Any, index: int) -> tuple[float, ...]:
    """Return a character's box in points from the page's top-left corner, as it is shown."""
    from pypdfium2 import raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    if not raw.FPDFText_GetCharBox(characters, index, left, right, bottom, top):
        return NOWHERE
    if left.value >= right.value or bottom.value >= top.value:
        return NOWHERE
    corners = [_to_shown(page, x.value, y.value) for x, y in ((left, bottom), (right, top))]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _to_shown(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return a point of the page's own space as it is shown: turned, cropped, y downward."""
    from pypdfium2 import raw

    size = (round(page.get_width() * STEPS_PER_POINT), round(page.get_height() * STEPS_PER_POINT))
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, across, down)
    return across.value / STEPS_PER_POINT, down.value / STEPS_PER_POINT

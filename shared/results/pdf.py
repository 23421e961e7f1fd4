"""Boxes on the pages of a PDF, with the text in them (OcrLabels).

The format is that of Label Studio's guide (https://labelstud.io/tags/pdf, "OcrLabels"): unlike on
images, fractions of the page from 0 to 1. The editor of the open-source release shows a Pdf, but
has no OcrLabels: only Label Studio Enterprise draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.results.types import ShapeValue

# Finer than a hundredth of a point on the largest page.
FRACTION_DECIMALS = 6


class PageSize(NamedTuple):
    """Width and height of a page, in any unit: pixels of its picture, or points."""

    width: float
    height: float


@dataclass(frozen=True)
class PageBox:
    """A box on a page, which is counted from 0: top-left corner, width and height.

    They are in the unit of the page's size. `rotation` turns it clockwise about that corner, in
    degrees; `text` is what is written in it. An upright box is clipped to the page.
    """

    page: int
    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    text: str = ""

    def to_value(self, pages: Sequence[PageSize]) -> ShapeValue:
        """Return fractions of the page, `pageIndex` from 1, and `ocrtext` if there is a text."""
        whole = pages[self.page]
        left, top, right, bottom = self.x, self.y, self.x + self.width, self.y + self.height
        if not self.rotation:
            left, right = (min(max(x, 0.0), whole.width) for x in (left, right))
            top, bottom = (min(max(y, 0.0), whole.height) for y in (top, bottom))
        value: dict[str, Any] = {
            "x": round(left / whole.width, FRACTION_DECIMALS),
            "y": round(top / whole.height, FRACTION_DECIMALS),
            "width": round((right - left) / whole.width, FRACTION_DECIMALS),
            "height": round((bottom - top) / whole.height, FRACTION_DECIMALS),
            "rotation": self.rotation % 360,
            "pageIndex": self.page + 1,
        }
        return value | ({"ocrtext": self.text} if self.text else {}), {}

    @classmethod
    def from_value(cls, value: Mapping[str, Any], pages: "Sequence[PageSize] | None") -> "PageBox":
        """Read a result's `value`; without the pages' sizes, in fractions."""
        page = int(value.get("pageIndex") or 1) - 1
        whole = PageSize(1, 1) if pages is None else pages[page]
        return cls(
            page,
            float(value["x"]) * whole.width,
            float(value["y"]) * whole.height,
            float(value["width"]) * whole.width,
            float(value["height"]) * whole.height,
            float(value.get("rotation") or 0),
            str(value.get("ocrtext") or ""),
        )

"""Documents of several pages, TIFF and PDF, as images."""

import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL.Image import DecompressionBombError
from PIL.Image import Image as TiffFile
from PIL.Image import open as open_image

from shared.errors import DecodeError
from shared.media.image import Image, content_digest, decode_image

# Upper limit of a document: more pages would not be read before any deadline.
MAX_PAGES = 500
# Resolution for rendering PDF pages: text of 10 points becomes 28 pixels high.
DEFAULT_DPI = 200
# Of an inch: PDF's unit.
POINTS_PER_INCH = 72
# PDFium is not thread-safe: one call at a time in a process.
pdfium_lock = threading.Lock()


def is_pdf(data: bytes) -> bool:
    """Return whether a file is a PDF; browsers and PDFium accept bytes before its header."""
    return b"%PDF-" in data[:1024]


def page_count(data: bytes) -> int:
    """Return the pages of a PDF or TIFF, 1 for any other file; DecodeError if it is damaged."""
    if is_pdf(data):
        return _pdf_page_count(data)
    if not _is_tiff(data):
        return 1
    with _open_tiff(data) as file:
        return int(getattr(file, "n_frames", 1))


def has_more_pages(data: bytes, most: int) -> bool:
    """Return whether a document has more pages, without counting all pages of a TIFF.

    Pillow takes minutes for the 100,000 empty pages that 1 MB can hold.
    """
    if is_pdf(data) or not _is_tiff(data):
        return page_count(data) > most
    with _open_tiff(data) as file:
        try:
            file.seek(most)
        except EOFError:
            return False
        return True


def decode_pages(data: bytes, max_megapixels: float, dpi: float = DEFAULT_DPI) -> Iterator[Image]:
    """Yield the upright pages, each with at most `max_megapixels`, decoded one at a time.

    PDF pages are rendered on white at `dpi`, or less where they would be too large. Any file that
    is neither PDF nor TIFF is one page.
    """
    count = page_count(data)
    for number in range(count):
        if is_pdf(data):
            yield _render_page(data, number, max_megapixels, dpi)
        else:
            yield decode_image(data, max_megapixels, number)


def _is_tiff(data: bytes) -> bool:
    return data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


@contextmanager
def _open_tiff(data: bytes) -> Iterator[TiffFile]:
    try:
        with open_image(io.BytesIO(data), formats=("TIFF",)) as file:
            yield file
    except (OSError, ValueError, SyntaxError, EOFError, DecompressionBombError) as error:
        raise DecodeError(f"The TIFF is damaged: {error}") from None


def _pdf_page_count(data: bytes) -> int:
    with pdfium_lock:
        document = open_pdf(data)
        try:
            return len(document)
        finally:
            document.close()


def _render_page(data: bytes, number: int, max_megapixels: float, dpi: float) -> Image:
    from pypdfium2 import PdfiumError

    with pdfium_lock:
        document = open_pdf(data)
        try:
            page = document[number]
            area = page.get_width() * page.get_height()
            most = math.sqrt(max_megapixels * 1e6 / max(area, 1e-6)) * 0.99
            drawn = page.render(scale=min(dpi / POINTS_PER_INCH, most))
            pixels = np.asarray(drawn.to_pil().convert("RGB"))
            return Image(pixels, content_digest(data, number))
        except (PdfiumError, ValueError, MemoryError) as error:
            raise DecodeError(f"Page {number + 1} of the PDF is damaged: {error}") from None
        finally:
            document.close()


def open_pdf(data: bytes):  # type: ignore[no-untyped-def]
    """Return the pypdfium2 document, which the caller closes."""
    try:
        from pypdfium2 import PdfDocument, PdfiumError
    except ImportError:
        raise DecodeError("A PDF needs the package pypdfium2, which the extra ocr brings") from None
    try:
        return PdfDocument(data)
    except PdfiumError as error:
        raise DecodeError(f"The PDF cannot be opened: {error}") from None

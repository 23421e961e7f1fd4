"""Pdf: its pages as pictures, or the text in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backends.prompt.content.pictures import SentPictures, encode_picture, sent_pictures
from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.content.texts import describe_dialogue
from backends.prompt.question import ContentPart, ImagePart, TextPart
from shared.backend import DecodeError, ObjectTag, Passages
from shared.media import document
from shared.media.pdf_text import PdfPageText, read_page_texts
from shared.results import Dialogue, PageBox, PageSize, ParagraphSpan


@dataclass(frozen=True)
class PdfDialogue(Dialogue):
    """The text of a PDF, a paragraph for each page, with the place of each character on it."""

    pages: tuple[PdfPageText, ...] = ()

    @classmethod
    def from_pages(cls, pages: Sequence[PdfPageText]) -> "PdfDialogue":
        """Build it from the pages in their order."""
        names = tuple(f"Page {number}" for number in range(1, len(pages) + 1))
        return cls(tuple(page.text for page in pages), names, tuple(pages))

    @property
    def sizes(self) -> tuple[PageSize, ...]:
        """The sizes of the pages in points."""
        return tuple(PageSize(page.width, page.height) for page in self.pages)

    def page_box(self, span: ParagraphSpan) -> PageBox | None:
        """Return the box around a span, on its first page; None if it has no place there."""
        page, last = self.pages[span.paragraph], span.last
        end = span.end if last is None or last == span.paragraph else len(page.text)
        box = page.box_of(span.start, end)
        if box is None:
            return None
        left, top, right, bottom = box
        text = " ".join(page.text[span.start : end].split())
        return PageBox(span.paragraph, left, top, right - left, bottom - top, text=text)


def read_pdf(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read the first pages of a PDF, as many as the limits allow.

    As pictures, or as text if the model takes no pictures or PROMPT_PDF says so; as both where
    boxes are asked for. Its source are the `Passages` of its text (of a `PdfDialogue`) if that
    was read, else the `SentPictures` of its pages.
    """
    data = reading.media.fetch(reading.task.text_value(target), reading.task.id)
    if not document.is_pdf(data):
        raise DecodeError(f"{target}: not a readable PDF ({len(data)} bytes)")
    count, most = document.page_count(data), reading.limits.pictures
    as_text = reading.limits.pdf == "text" or "image" not in reading.limits.modalities
    drawn = () if as_text else tuple(_draw_pages(reading, target, data))
    text = _read_text(reading, target, data) if as_text or _draws_on(reading, target) else None
    if as_text and text is None:
        raise DecodeError(
            f"{target}: the PDF has no text, only pictures: set PROMPT_PDF=pages and a model that"
            " takes pictures"
        )
    parts: list[ContentPart] = [*drawn]
    if text is not None:
        parts.append(TextPart(target.name, describe_dialogue(text.source)))
    if count > most:
        parts.append(TextPart(target.name, f"(The pages after page {most} are not shown.)"))
    sent = SentPictures(sent_pictures(drawn), reading.limits.box_format)
    omitted = tuple(_describe_omitted(reading, target, count, text))
    return ObjectContent(tuple(parts), text or sent, omitted)


def _draws_on(reading: Reading, target: ObjectTag) -> bool:
    """Return whether boxes on the pages are asked for, which are found by their text."""
    return any(
        control.tag == "OcrLabels" and target.name in control.to_names
        for control in reading.controls
    )


def _read_text(reading: Reading, target: ObjectTag, data: bytes) -> Passages | None:
    """Return the text of the pages; None if there is none, as in scanned ones."""
    pages = list(read_page_texts(data, reading.limits.pictures))
    if not any(page.text.strip() for page in pages):
        return None
    return Passages.from_dialogue(PdfDialogue.from_pages(pages))


def _describe_omitted(
    reading: Reading, target: ObjectTag, count: int, text: Passages | None
) -> Iterator[str]:
    most = reading.limits.pictures
    if count > most:
        yield f"{target}: the first {most} of {count} pages are read (PROMPT_MAX_PICTURES)"
    if text is None and reading.limits.box_format is None and _draws_on(reading, target):
        yield (
            f"{target}: the PDF has no text by which boxes could be found: set PROMPT_BOX_FORMAT,"
            " and a model that writes boxes"
        )


def _draw_pages(reading: Reading, target: ObjectTag, data: bytes) -> Iterator[ImagePart]:
    most = reading.limits.image_pixels
    pages = document.decode_pages(data, most / 1e6)
    for number, page in enumerate(islice(pages, reading.limits.pictures)):
        yield encode_picture(target.name, page, reading.limits, number)

"""PDFs as a model gets them: pages as pictures, or their text with its places."""

import io
from typing import Any

import pytest
from PIL import Image as Pillow

from shared.backend import DecodeError
from shared.media.pdf_text import read_page_texts
from tests.prompt.content.shown import data_url, pictures, read, texts

PDF = '<Pdf name="pdf" value="$v"/><Rating name="r" toName="pdf"/>'
BOXES = (
    '<Pdf name="pdf" value="$v"/><OcrLabels name="o" toName="pdf"><Label value="A"/></OcrLabels>'
)


def written(*lines: str, rotate: int = 0) -> bytes:
    """A PDF of 200 × 100 points: a page for each line, written at 10 points, 20 from the left."""
    pages = "".join(f"{4 + 2 * n} 0 R " for n in range(len(lines)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{pages}] /Count {len(lines)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
    ]
    for number, line in enumerate(lines):
        drawn = f"BT /F1 10 Tf 20 70 Td ({line}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Rotate {rotate}"
            f" /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    body = "%PDF-1.4\n" + "".join(
        f"{n} 0 obj\n{text}\nendobj\n" for n, text in enumerate(objects, 1)
    )
    return (body + "trailer << /Root 1 0 R >>\n%%EOF").encode()


def shown(data: bytes) -> dict[str, str]:
    return {"v": data_url(data, "application/pdf")}


def scanned() -> bytes:
    made = io.BytesIO()
    Pillow.new("RGB", (100, 50), "white").save(made, "PDF")
    return made.getvalue()


def test_pages_are_drawn() -> None:
    content = read(PDF, shown(written("one", "two", "three")), pictures=2, image_pixels=20_000)
    assert [part.item_index for part in pictures(content)] == [0, 1]
    for part in pictures(content):
        assert part.size.width * part.size.height <= 20_000
        assert part.size.width / part.size.height == pytest.approx(2, abs=0.05)
    assert texts(content) == ["(The pages after page 2 are not shown.)"]
    assert content.omitted == ('Pdf "pdf": the first 2 of 3 pages are read (PROMPT_MAX_PICTURES)',)


@pytest.mark.parametrize(
    "limits",
    [{"pdf": "text"}, {"modalities": frozenset({"text"})}],
    ids=["by the setting", "a model without eyes"],
)
def test_pages_as_text(limits: dict[str, Any]) -> None:
    content = read(PDF, shown(written("one", "two")), **limits)
    assert texts(content) == ["Page 1: one\nPage 2: two"]
    assert not pictures(content)


def test_a_scanned_pdf_has_no_text() -> None:
    with pytest.raises(DecodeError, match="PROMPT_PDF=pages"):
        read(PDF, shown(scanned()), pdf="text")
    assert len(pictures(read(PDF, shown(scanned())))) == 1


def test_boxes_are_found_by_the_text() -> None:
    content = read(BOXES, shown(written("Total 12")))
    assert len(pictures(content)) == 1
    assert texts(content) == ["Page 1: Total 12"]
    found = content.sources["pdf"].source
    assert found.sizes == ((200, 100),)
    # Courier is 0.6 of its size wide: "Total " is 6 × 6 points, so "12" begins 36 after 20.
    left, top, right, bottom = found.pages[0].box_of(6, 8)
    assert (left, right) == (pytest.approx(56, abs=2), pytest.approx(68, abs=2))
    assert 20 < top < bottom <= 30.5, "the base line is 70 points above the lower edge"


def test_a_turned_page_is_measured_as_it_is_shown() -> None:
    [page] = read_page_texts(written("Total", rotate=90), 5)
    assert (page.width, page.height, page.text) == (100, 200, "Total")
    left, top, right, bottom = page.box_of(0, 5)  # type: ignore[misc]
    assert (top, bottom) == (pytest.approx(20, abs=2), pytest.approx(50, abs=2))
    assert 68 <= left < right < 80


def test_characters_without_a_place_have_no_box() -> None:
    [page] = read_page_texts(scanned(), 5)
    assert (page.text, page.box_of(0, 5)) == ("", None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.4 broken", "cannot be opened"),
        (b"<html>log in</html>", 'Pdf "pdf": not a readable PDF'),
        (b"", "not a readable PDF"),
    ],
    ids=["damaged", "a web page", "empty"],
)
def test_broken_pdfs(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        read(PDF, shown(data))

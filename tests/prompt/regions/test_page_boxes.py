"""OcrLabels on a PDF: found by what a model quotes of its text, or by boxes on scanned pages."""

from typing import Any

import pytest

from backends.prompt.answer_schema import build_schema
from shared.backend import LabelConfig
from tests.prompt.content.shown import data_url, read
from tests.prompt.content.test_pages import scanned, written
from tests.prompt.regions.test_boxes import regions

OCR = (
    '<Pdf name="pdf" value="$v"/><OcrLabels name="ocr" toName="pdf"><Label value="Typo"/>'
    '<Label value="Amount"/></OcrLabels>'
)
WHY = '<TextArea name="why" toName="pdf" perRegion="true"/>'


def shown(data: bytes, **limits: Any) -> Any:
    return read(OCR + WHY, {"v": data_url(data, "application/pdf")}, **limits)


def test_quotes_are_found_on_their_page() -> None:
    content = shown(written("Invoice of May", "Totel 12 EUR", "12 pages"))
    items = [
        {"quote": "totel", "occurrence": 1, "label": "Typo", "values": {"why": "Total"}},
        {"quote": "12", "occurrence": 2, "label": "Amount", "values": {"why": None}},
        {"quote": "13 EUR", "occurrence": 1, "label": "Amount", "values": {"why": None}},
    ]
    (typo, amount), [left] = regions(OCR + WHY, content, {"ocr": items})
    value = typo.results[0]["value"]
    # 5 letters of 6 points, from 20 on a page of 200; the base line is 70 of 100 above its edge.
    assert (value["pageIndex"], value["ocrtext"], value["ocrlabels"]) == (2, "Totel", ["Typo"])
    assert (value["x"], value["width"]) == pytest.approx((0.1, 0.15), abs=0.01)
    assert 0.2 < value["y"] < value["y"] + value["height"] < 0.31
    assert typo.results[1]["value"]["text"] == ["Total"]
    assert amount.results[0]["value"]["pageIndex"] == 3, "the second 12"
    assert 'no place for "13 EUR"' in left


def test_boxes_on_scanned_pages() -> None:
    content = shown(scanned(), box_format="xyxy_1000")
    config = LabelConfig.parse(f"<View>{OCR}</View>")
    items = build_schema(config.controls, config, content.sources)["properties"]["ocr"]["items"]
    assert items["required"] == ["box", "label", "text"]
    item = {"box": [100, 200, 300, 400], "label": "Amount", "text": " 12 "}
    [found], left = regions(OCR + WHY, content, {"ocr": [item]})
    assert left == []
    assert found.results[0]["value"] == {
        "x": 0.1, "y": 0.2, "width": 0.2, "height": 0.2, "rotation": 0, "pageIndex": 1,
        "ocrtext": "12", "ocrlabels": ["Amount"],
    }  # fmt: skip


def test_scanned_pages_without_boxes_are_named() -> None:
    content = shown(scanned())
    config = LabelConfig.parse(f"<View>{OCR}</View>")
    assert "ocr" not in build_schema(config.controls, config, content.sources)["properties"]
    [why] = content.omitted
    assert why.startswith('Pdf "pdf": the PDF has no text by which boxes could be found')

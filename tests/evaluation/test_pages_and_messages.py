"""Boxes on pages and messages of chats are compared, too; nothing else draws or shows them here."""

from typing import Any

import pytest

from shared.evaluation.dataset.shape_json import shape_to_json
from shared.evaluation.metrics.choose import create_metric
from shared.evaluation.metrics.text_metric import TextMetric
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import LabelConfig
from shared.results import ChatMessage, PageBox, PageSize, ParsedRegion

CONFIG = LabelConfig.parse(
    '<View><Pdf name="pdf" value="$pdf"/><OcrLabels name="ocr" toName="pdf"><Label value="Typo"/>'
    '</OcrLabels><Chat name="chat" value="$chat" toName="chat"/></View>'
)
OCR, CHAT = CONFIG.controls


def box(page: int, *place: float, pages: Any = None) -> ParsedRegion:
    return ParsedRegion("", PageBox(page, *place), {OCR: ["Typo"]}, pages)


def message(text: str) -> ParsedRegion:
    said = {"role": "assistant", "content": text, "createdAt": 1}
    return ParsedRegion("", ChatMessage("assistant", text, 1), {CHAT: said})


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        (box(0, 0.1, 0.1, 0.2, 0.2), box(0, 0.1, 0.1, 0.2, 0.2), 1),
        # Half of each: 0.02 of 0.06.
        (box(0, 0.1, 0.1, 0.2, 0.2), box(0, 0.2, 0.1, 0.2, 0.2), 1 / 3),
        (box(0, 0.1, 0.1, 0.2, 0.2), box(1, 0.1, 0.1, 0.2, 0.2), 0),
        # In points on a page of 200 × 400, and in parts of it.
        (box(0, 20, 40, 40, 80, pages=[PageSize(200, 400)]), box(0, 0.1, 0.1, 0.2, 0.2), 1),
    ],
    ids=["equal", "half", "another page", "in points"],
)
def test_boxes_on_pages(one: ParsedRegion, other: ParsedRegion, iou: float) -> None:
    assert similarity_matrix([one], [other]).tolist() == [[pytest.approx(iou)]]


def test_messages_are_compared_as_texts() -> None:
    metric = create_metric(CHAT, CONFIG.object_of(CHAT))
    assert isinstance(metric, TextMetric)
    # One letter of four is another.
    outcome = metric.add(0, [message("Noon")], [message("Soon")])
    assert outcome.score == pytest.approx(0.75)
    assert metric.add(1, [message("Noon")], [message("Noon")]).score == 1


def test_both_are_written_to_files() -> None:
    said = shape_to_json(ChatMessage("user", "Hi", 5))
    assert said == {"type": "message", "role": "user", "content": "Hi", "created_at": 5}
    assert shape_to_json(PageBox(1, 0.1, 0.2, 0.3, 0.4))["page"] == 1

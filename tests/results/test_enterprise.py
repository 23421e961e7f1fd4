"""Results that only Label Studio Enterprise draws, by its guide: Chat's messages, OcrLabels."""

import re
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results import ChatMessage, PageBox, PageSize, parse_regions, region, whole_task
from shared.results.validation import check_results

CHAT = LabelConfig.parse(
    '<View><Chat name="chat" value="$chat" toName="chat"/><Rating name="r" toName="chat"/></View>'
)
OCR = LabelConfig.parse(
    '<View><Pdf name="pdf" value="$pdf"/><OcrLabels name="ocr" toName="pdf"><Label value="Typo"/>'
    '</OcrLabels><TextArea name="why" toName="pdf" perRegion="true"/></View>'
)
PAGES = [PageSize(100, 100), PageSize(200, 400)]


def test_a_message_is_written_as_the_guide_has_it() -> None:
    chat, rating = CHAT.controls
    made = region(ChatMessage("assistant", "Hello", 1757612212681), {chat: None})
    assert [{**result, "id": ""} for result in made.results] == [
        {
            "id": "",
            "type": "chatmessage",
            "from_name": "chat",
            "to_name": "chat",
            "value": {
                "chatmessage": {
                    "role": "assistant",
                    "content": "Hello",
                    "createdAt": 1757612212681,
                }
            },
        }
    ]
    other = region(ChatMessage("assistant", "Bye", 1757612212682), {chat: None})
    assert other.id != made.id
    results = [*made.results, *other.results, *whole_task(rating, 4).results]
    assert check_results(CHAT, results, {"chat": []}) == []
    parsed = parse_regions(results, CHAT)
    assert [found.shape for found in parsed[:2]] == [
        ChatMessage("assistant", "Hello", 1757612212681),
        ChatMessage("assistant", "Bye", 1757612212682),
    ]
    assert [result for found in parsed for result in found.to_region().results] == results


def test_a_chat_without_to_name_takes_no_messages() -> None:
    shown = LabelConfig.parse('<View><Chat name="chat" value="$chat"/></View>')
    assert (shown.controls, list(shown.objects)) == ((), ["chat"])


@pytest.mark.parametrize(
    ("box", "value"),
    [
        (PageBox(1, 20, 40, 50, 100), (0.1, 0.1, 0.25, 0.25, 0, 2)),
        (PageBox(0, -10, 90, 30, 30), (0, 0.9, 0.2, 0.1, 0, 1)),
        (PageBox(0, 90, 0, 30, 30, 450), (0.9, 0, 0.3, 0.3, 90, 1)),
    ],
    ids=["second page", "clipped", "turned"],
)
def test_boxes_are_fractions_of_their_page(box: PageBox, value: tuple[float, ...]) -> None:
    control = OCR.controls[0]
    [result] = region(box, {control: "Typo"}, PAGES).results
    keys = ("x", "y", "width", "height", "rotation", "pageIndex")
    assert result["type"] == "ocrlabels"
    assert result["value"] == {**dict(zip(keys, value, strict=True)), "ocrlabels": ["Typo"]}
    assert check_results(OCR, [result]) == []


def test_a_box_with_its_text_comes_back() -> None:
    labels, why = OCR.controls
    box = PageBox(1, 20, 40, 50, 100, text="Totel")
    made = region(box, {labels: ["Typo"], why: ["misspelt"]}, PAGES)
    assert made.results[0]["value"]["ocrtext"] == "Totel"
    [parsed] = parse_regions(made.results, OCR, {"pdf": PAGES})
    assert (parsed.shape, parsed.to_region()) == (box, made)
    [unsized] = parse_regions(made.results, OCR)
    assert unsized.shape == PageBox(1, 0.1, 0.1, 0.25, 0.25, text="Totel")
    assert check_results(OCR, made.results) == []


def ocr(**changed: Any) -> tuple[LabelConfig, dict[str, Any]]:
    value = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2, "rotation": 0, "pageIndex": 1}
    value |= {"ocrlabels": ["Typo"]} | changed
    return OCR, {"from_name": "ocr", "to_name": "pdf", "type": "ocrlabels", "value": value}


def message(**changed: Any) -> tuple[LabelConfig, dict[str, Any]]:
    said = {"role": "user", "content": "Hi", "createdAt": 5} | changed
    value = {"chatmessage": said}
    return CHAT, {"from_name": "chat", "to_name": "chat", "type": "chatmessage", "value": value}


@pytest.mark.parametrize(
    ("found", "rule", "words"),
    [
        (ocr(x=10), "out_of_image", "is it in percent"),
        (ocr(x=float("nan")), "not_a_number", '"x"'),
        (ocr(height=0), "zero_size", '"height" is 0'),
        (ocr(y=None), "missing_key", '"y" is missing'),
        (ocr(width=0.95), "out_of_image", '"x" \\+ "width" is 1.05'),
        (ocr(rotation="up"), "not_a_number", "degrees"),
        (ocr(pageIndex=0), "out_of_range", '"pageIndex" is 0, expected a whole number from 1'),
        (ocr(pageIndex=None), "missing_key", '"pageIndex"'),
        (ocr(ocrtext=3), "not_a_string", '"ocrtext" is 3'),
        (ocr(ocrlabels=["Typ"]), "unknown_label", "did you mean"),
        (message(role="Assistant"), "unknown_label", 'did you mean "assistant"'),
        (message(role=None), "unknown_label", '"role" is null'),
        (message(content=["Hi"]), "not_a_string", '"content"'),
        (message(createdAt="now"), "not_a_number", "milliseconds"),
        ((CHAT, {**message()[1], "value": {"text": "Hi"}}), "missing_key", '"chatmessage" is null'),
        ((CHAT, {**message()[1], "value": {"chatmessage": "Hi"}}), "not_an_object", "an object"),
    ],
    ids=[
        "percent", "not a number", "no height", "no y", "over the edge", "rotation", "page 0",
        "no page", "text", "label", "role", "no role", "content", "time", "no message", "a text",
    ],
)  # fmt: skip
def test_what_is_wrong(found: tuple[LabelConfig, dict[str, Any]], rule: str, words: str) -> None:
    config, result = found
    [finding] = check_results(config, [result])
    assert finding.rule == rule
    assert re.search(words, finding.message), finding.message

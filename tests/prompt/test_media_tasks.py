"""Tasks with media, through the pipeline: a broken one costs itself, and captions are prompt's."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from backends.ocr import OcrBackend
from backends.prompt import PromptBackend
from shared.backend import Passages
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import standalone
from shared.pipeline.output_cache import fingerprint
from shared.pipeline.runtime import reset_runtime, runtime
from tests.prompt.content.shown import data_url, encoded
from tests.prompt.content.test_pages import written
from tests.prompt.fault_server import Asked, FaultServer

CAPTION = '<TextArea name="caption" toName="img" placeholder="Describe the picture"/>'
IMAGE = f'<View><Image name="img" value="$v"/>{CAPTION}</View>'
TABLE = '<View><Table name="t" value="$v"/><Rating name="r" toName="t"/></View>'
PDF = '<View><Pdf name="p" value="$v"/><Rating name="r" toName="p"/></View>'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer() as running:
        monkeypatch.setenv("PROMPT_MODEL", "any")
        monkeypatch.setenv("PROMPT_BASE_URL", running.url)
        reset_runtime()
        yield running
    reset_runtime()


def predict(xml: str, *values: Any) -> list[Any]:
    backend = PromptBackend(label_config=xml, served=True)
    tasks = [{"id": number, "data": {"v": value}} for number, value in enumerate(values, 1)]
    return standalone.predict(backend, tasks)


def sent(asked: Asked) -> list[Mapping[str, Any]]:
    """The parts of what the model is shown that are no text."""
    content = asked.body["messages"][-1]["content"]
    return [part for part in content if isinstance(part, dict) and part["type"] != "text"]


GOOD = encoded(Pillow.new("RGB", (60, 40), "red"))


@pytest.mark.parametrize(
    ("xml", "good", "broken"),
    [
        (IMAGE, GOOD, ["data:image/png;base64,aGVsbG8=", "http://127.0.0.1:1/a.png", None, 3]),
        (TABLE, [{"a": 1}], ["no table", 7, None]),
        (
            PDF,
            data_url(written("one"), "application/pdf"),
            [data_url(b"%PDF-1.4", "application/pdf"), GOOD],
        ),
    ],
    ids=["pictures", "tables", "documents"],
)
def test_a_broken_file_costs_its_task_alone(
    xml: str, good: Any, broken: list[Any], server: FaultServer
) -> None:
    answers = predict(xml, good, *broken, good)
    assert [bool(answer) for answer in answers] == [True, *[False] * len(broken), True]
    assert answers[0]["result"] == answers[-1]["result"]
    # Equal tasks are asked about once, if the first is answered before the last is read.
    assert 1 <= len(server.chats()) <= 2, "of the broken ones the model hears nothing"


def test_pictures_arrive_as_jpeg(server: FaultServer) -> None:
    predict(IMAGE, GOOD)
    [asked] = server.chats()
    [part] = sent(asked)
    assert part["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")


def test_a_model_without_eyes_is_not_asked(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPT_MODALITIES", "text")
    reset_runtime()
    rated = '<Text name="t" value="$v"/><Rating name="r" toName="t"/></View>'
    xml = IMAGE.replace("</View>", rated)
    [answer] = predict(xml, "a text, no picture")
    assert [result["from_name"] for result in answer["result"]] == ["r"]
    [asked] = server.chats()
    assert sent(asked) == []


def test_captions_are_asked_of_a_vision_model(server: FaultServer) -> None:
    """OCR takes text areas that ask for text, and leaves those that ask for words about it."""
    xml = IMAGE.replace(CAPTION, f'{CAPTION}<TextArea name="text" toName="img"/>')
    config = LabelConfig.parse(xml)
    backends = [backend(label_config=xml, served=True) for backend in (OcrBackend, PromptBackend)]
    filled = runtime().planner.plan(config, backends).filled_by()
    assert {name: backend.partition(":")[0] for name, backend in filled.items()} == {
        "caption": "prompt",
        "text": "ocr",
    }
    [answer] = predict(IMAGE, GOOD)
    [result] = answer["result"]
    assert (result["type"], result["from_name"]) == ("textarea", "caption")
    assert result["value"]["text"][0].startswith("about")


def test_what_is_left_out_is_in_the_log(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PROMPT_MAX_PICTURES", "1")
    reset_runtime()
    [answer] = predict(PDF, data_url(written("one", "two"), "application/pdf"))
    assert answer
    what = 'Task 1: prompt: Pdf "p": the first 1 of 2 pages are read (PROMPT_MAX_PICTURES)'
    assert what in caplog.messages


def test_cached_answers_hold_no_pictures(server: FaultServer) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (400, 400, 3), np.uint8)
    value = encoded(Pillow.fromarray(noise))
    [answer] = predict(IMAGE, value)
    late = time.monotonic() + 5
    while not len(runtime().output_cache) and time.monotonic() < late:
        time.sleep(0.01)  # it is cached by the thread that asked
    assert 0 < runtime().output_cache.bytes < 20_000
    assert predict(IMAGE, value) == [answer]
    assert len(server.chats()) == 1


def test_equal_texts_of_different_documents_are_asked_about_apart(server: FaultServer) -> None:
    xml = (
        '<View><HyperText name="h" value="$v"/><HyperTextLabels name="l" toName="h">'
        '<Label value="A"/></HyperTextLabels></View>'
    )
    server.answer = lambda schema, asked: {"l": [{"quote": "word", "occurrence": 1, "label": "A"}]}
    one, other = predict(xml, "<p>a word</p>", "<div><p>a word</p></div>")
    places = [answer["result"][0]["value"]["start"] for answer in (one, other)]
    assert places == ["/p[1]/text()[1]", "/div[1]/p[1]/text()[1]"]


def test_long_documents_are_told_apart_quickly() -> None:
    html = "<div>" * 40 + "<p>a <b>word</b></p>" * 2000 + "</div>" * 40
    passages = Passages.from_html(html)
    began = time.process_time()
    found = fingerprint(passages)
    assert time.process_time() - began < 1
    assert found is not None
    assert found != fingerprint(Passages.from_html(html.replace("b>", "i>")))

"""An address that transcribes: what is sent there, what is read of its answers, what goes wrong."""

import contextlib
import email
import io
import json
import time
import wave
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import numpy as np
import pytest

from backends.speech.engines import openai_server
from backends.speech.engines.openai_server import OpenAiEngine
from backends.speech.settings import SpeechSettings
from backends.speech.transcript import Segment, SpeechOptions, SpeechPart, Word
from shared.errors import InferenceError, SettingError
from shared.settings import Settings, read_settings
from tests.media.web import Visit, Web, says, web

from .conftest import EXAMPLES, Predict

SAMPLES = np.round(np.sin(np.arange(16_000) / 10) * 16_000).astype(np.float32) / 32_768
VERBOSE = {
    "text": "good morning to you",
    "language": "english",
    "segments": [
        {"start": 0.1, "end": 0.5, "text": " good morning", "avg_logprob": -0.105360516},
        {"start": 0.5, "end": 0.9, "text": " to you"},
    ],
    "words": [
        {"start": 0.1, "end": 0.3, "word": "good"},
        {"start": 0.3, "end": 0.5, "word": "morning"},
        {"start": 0.5, "end": 0.9, "word": "to"},
    ],
}
JSON = {"Content_Type": "application/json"}
Sent = list[dict[str, Any]]


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_server, "FIRST_WAIT_SECONDS", 0.01)


def read_form(visit: Visit) -> dict[str, Any]:
    """The fields of a multipart body; lists of those that come more than once."""
    body = visit.rfile.read(int(visit.headers["Content-Length"]))
    head = f"Content-Type: {visit.headers['Content-Type']}\r\n\r\n".encode()
    fields: dict[str, Any] = {}
    parts: list[Message] = email.message_from_bytes(head + body).get_payload()  # type: ignore[assignment]
    for part in parts:
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        value = content if name == "file" else content.decode()
        fields[name] = [*fields[name], value] if name in fields else [value]
    return fields


def records(sent: Sent, answer: Any = VERBOSE) -> Callable[[Visit], None]:
    def page(visit: Visit) -> None:
        sent.append(read_form(visit))
        visit.send(200, json.dumps(answer).encode(), **JSON)

    return page


def engine(server: Web, key: str = "") -> OpenAiEngine:
    settings = SpeechSettings(base_url=f"{server.url}/v1", api_key=key or None, model="loud")
    return OpenAiEngine(settings, Settings())


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://here", "http://"])
def test_address_that_is_none_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_BASE_URL", address)
    read_settings.cache_clear()
    with pytest.raises(SettingError, match=r"SPEECH_BASE_URL=.*expected an address such as"):
        read_settings(SpeechSettings)


def test_what_is_sent_and_what_is_read(server: Web) -> None:
    sent: Sent = []
    server.pages["/v1/audio/transcriptions"] = records(sent)
    options = SpeechOptions("en", hot_words="prelabel", words=True)
    [segments] = engine(server, "secret").transcribe([SpeechPart(SAMPLES, options)])
    [form] = sent
    with wave.open(io.BytesIO(form.pop("file")[0])) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        read = np.frombuffer(file.readframes(-1), "<i2")
    assert np.array_equal(read, SAMPLES * 32_768)
    assert form == {
        "model": ["loud"],
        "response_format": ["verbose_json"],
        "language": ["en"],
        "prompt": ["prelabel"],
        "timestamp_granularities[]": ["segment", "word"],
    }
    assert server.visits == [("/v1/audio/transcriptions", "Bearer secret")]
    words = (Word(0.1, 0.3, "good"), Word(0.3, 0.5, "morning"))
    assert segments == [
        Segment(0.1, 0.5, "good morning", pytest.approx(0.9), "en", words),
        Segment(0.5, 0.9, "to you", None, "en", (Word(0.5, 0.9, "to"),)),
    ]


def test_translations_have_an_address_of_their_own(server: Web) -> None:
    sent: Sent = []
    server.pages["/v1/audio/translations"] = records(sent)
    engine(server).transcribe([SpeechPart(SAMPLES, SpeechOptions("de", "translate"))])
    assert sent[0].keys() == {"file", "model", "response_format"}


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        pytest.param(b'{"text": "hello"}', "application/json", ["hello"], id="json"),
        pytest.param(b"hello\n", "text/plain; charset=utf-8", ["hello"], id="text"),
        pytest.param(b'{"text": ""}', "application/json", [], id="nothing said"),
    ],
)
def test_an_answer_without_segments_is_one_of_the_whole_part(
    server: Web, body: bytes, kind: str, expected: list[str]
) -> None:
    server.pages["/v1/audio/transcriptions"] = says(body, Content_Type=kind)
    [segments] = engine(server).transcribe([SpeechPart(SAMPLES, SpeechOptions())])
    assert [(one.start, one.end, one.text) for one in segments] == [(0, 1, t) for t in expected]


def test_an_answer_that_does_not_end_is_given_up(server: Web) -> None:
    def drips(visit: Visit) -> None:
        read_form(visit)
        visit.send_response(200)
        visit.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                visit.wfile.write(b" ")
                time.sleep(0.05)

    server.pages["/v1/audio/transcriptions"] = drips
    settings = SpeechSettings(base_url=f"{server.url}/v1", timeout=0.2)
    with pytest.raises(InferenceError, match="has transcribed nothing: ReadTimeout"):
        OpenAiEngine(settings, Settings()).transcribe([SpeechPart(SAMPLES, SpeechOptions())])


def test_an_answer_that_is_too_long_is_given_up(
    server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_server, "MAX_ANSWER_BYTES", 1000)
    server.pages["/v1/audio/transcriptions"] = says(b" " * 2000, **JSON)
    with pytest.raises(InferenceError, match="has answered over 1,000 bytes"):
        engine(server).transcribe([SpeechPart(SAMPLES, SpeechOptions())])
    assert len(server.visits) == 1


def test_a_probability_above_one_is_one(server: Web) -> None:
    row = {"start": 0, "end": 1, "text": "sure", "avg_logprob": 1e6}
    body = json.dumps({"text": "sure", "segments": [row]}).encode()
    server.pages["/v1/audio/transcriptions"] = says(body, **JSON)
    [[segment]] = engine(server).transcribe([SpeechPart(SAMPLES, SpeechOptions())])
    assert segment.score == 1


def test_a_busy_server_is_asked_again(server: Web) -> None:
    answers = iter([429, 503])

    def page(visit: Visit) -> None:
        status = next(answers, 200)
        body = json.dumps({"text": "at last"}).encode()
        visit.send(status, body if status == 200 else b"{}", Retry_After="0", **JSON)

    server.pages["/v1/audio/transcriptions"] = page
    [[segment]] = engine(server).transcribe([SpeechPart(SAMPLES, SpeechOptions())])
    assert segment.text == "at last"
    assert len(server.visits) == 3


@pytest.mark.parametrize(
    ("page", "message", "visits"),
    [
        pytest.param(
            says(b'{"error": {"message": "Bad key"}}', 401, **JSON),
            r"/v1/audio/transcriptions has transcribed nothing: HTTP 401, Bad key",
            1,
            id="refused",
        ),
        pytest.param(says(b"oops", 500), "HTTP 500, Internal Server Error", 4, id="broken"),
        pytest.param(
            says(b'{"text":' + b"[" * 50_000 + b"]" * 50_000 + b"}", **JSON),
            'no JSON object with a "text"',
            1,
            id="nested too deeply",
        ),
        pytest.param(says(b"<html>", **JSON), 'no JSON object with a "text"', 1, id="no JSON"),
        pytest.param(says(b'{"words": []}', **JSON), 'with a "text"', 1, id="no text"),
        pytest.param(
            says(b'{"text": "a", "segments": [{"text": "a"}]}', **JSON),
            "A segment of the transcription cannot be read: KeyError",
            1,
            id="no times",
        ),
        *(
            pytest.param(
                says(b'{"text": "a", ' + rest + b"}", **JSON),
                "A segment of the transcription cannot be read",
                1,
                id=name,
            )
            for name, rest in {
                "words without times": b'"words": [{"word": "a"}]',
                "words that are texts": b'"words": ["a"]',
                "words that are a number": b'"words": 5',
                "a time that is none": b'"segments": [{"start": NaN, "end": 1, "text": "a"}]',
                "segments that are an object": b'"segments": {"text": "a"}',
            }.items()
        ),
    ],
)
def test_what_goes_wrong_is_said(server: Web, page: Any, message: str, visits: int) -> None:
    server.pages["/v1/audio/transcriptions"] = page
    with pytest.raises(InferenceError, match=message) as caught:
        engine(server, "secret").transcribe([SpeechPart(SAMPLES, SpeechOptions())])
    assert len(server.visits) == visits
    assert "secret" not in str(caught.value)


def test_a_failed_part_costs_its_task_alone(server: Web, predict: Predict) -> None:
    def page(visit: Visit) -> None:
        with wave.open(io.BytesIO(read_form(visit)["file"][0])) as file:
            long = file.getnframes() > 1.2 * 16_000
        visit.send(400 if long else 200, json.dumps({"text": "morning"}).encode(), **JSON)

    server.pages["/v1/audio/transcriptions"] = page
    xml = '<View><Audio name="a" value="$audio"/><TextArea name="t" toName="a"/></View>'
    files = [(EXAMPLES / name).read_bytes() for name in ("orders.flac", "greeting.flac")]
    settings = {"SPEECH_ENGINE": "openai", "SPEECH_BASE_URL": f"{server.url}/v1"}
    failed, done = predict(xml, files, **settings)
    assert failed == []
    assert [result["value"] for result in done["result"]] == [{"text": ["morning"]}]

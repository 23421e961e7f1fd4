"""An OpenAI-compatible address with /audio/transcriptions, on this machine or another.

The request and its answer: https://platform.openai.com/docs/api-reference/audio
"""

import io
import math
import time
import wave
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np

from backends._sound.speech_spans import PartLimits
from backends.speech.engines.base import SpeechEngine
from backends.speech.languages import LANGUAGE_NAMES
from backends.speech.settings import SpeechSettings
from backends.speech.transcript import Segment, SpeechPart, Word
from shared.errors import InferenceError, redact_url, truncate
from shared.media import egress
from shared.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "whisper-1"
RATE = 16_000
# Answers after which the same request may succeed, how often it is sent, and the first wait.
PASSING_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})
TRIES = 4
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 8.0
MAX_MESSAGE_CHARACTERS = 200
# Of an answer: half a minute of speech takes a few thousand, with all of its words.
MAX_ANSWER_BYTES = 8_000_000
# Its headers that are read.
HEADERS = ("Content-Type", "Retry-After")


class OpenAiEngine(SpeechEngine):
    """Sends parts as WAV files."""

    limits = PartLimits(seconds=30.0, pause=2.0, shortened=25.0)

    def __init__(self, settings: SpeechSettings, server_settings: Settings) -> None:
        self._url = (settings.base_url or OPENAI_URL).rstrip("/")
        self._model = settings.model or DEFAULT_MODEL
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = settings.timeout
        self._client = egress.service_client(
            server_settings, settings.timeout, settings.concurrency
        )
        self._client.headers.update(headers)

    def transcribe(self, parts: Sequence[SpeechPart]) -> list[list[Segment]]:
        return [self._transcribe_part(part) for part in parts]

    def _transcribe_part(self, part: SpeechPart) -> list[Segment]:
        options = part.options
        action = "translations" if options.task == "translate" else "transcriptions"
        fields: dict[str, Any] = {"model": self._model, "response_format": "verbose_json"}
        if options.language and options.task == "transcribe":
            fields["language"] = options.language
        if options.hot_words:
            fields["prompt"] = options.hot_words
        if options.task == "transcribe":
            levels = ["segment", "word"] if options.words else ["segment"]
            fields["timestamp_granularities[]"] = levels
        answer = self._post(f"{self._url}/audio/{action}", fields, encode_wav(part.samples))
        return _read_segments(answer, len(part.samples) / RATE, options.language)

    def _post(self, url: str, fields: Mapping[str, Any], sound: bytes) -> Mapping[str, Any]:
        """Return the answer; InferenceError says why there is none."""
        problem, wait = "", FIRST_WAIT_SECONDS
        for tries_left in reversed(range(TRIES)):
            try:
                response = self._send(url, fields, sound)
            except httpx.HTTPError as error:
                problem = type(error).__name__
            else:
                if response.status_code == httpx.codes.OK:
                    return _read_json(response, url)
                problem = _describe_refusal(response)
                if response.status_code not in PASSING_STATUS:
                    break
                wait = _asked_wait(response, wait)
            if tries_left:
                time.sleep(wait)
                wait = min(2 * wait, MAX_WAIT_SECONDS)
        raise InferenceError(f"{redact_url(url)} has transcribed nothing: {problem}")

    def _send(self, url: str, fields: Mapping[str, Any], sound: bytes) -> httpx.Response:
        """Return the response; ReadTimeout if its end has not come in time."""
        body, files = bytearray(), {"file": ("part.wav", sound, "audio/wav")}
        with (
            egress.time_limit(self._timeout),
            self._client.stream("POST", url, data=fields, files=files) as response,
        ):
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise InferenceError(
                        f"{redact_url(url)} has answered over {MAX_ANSWER_BYTES:,} bytes"
                    )
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def encode_wav(samples: Any) -> bytes:
    """Return samples from -1 to 1, at 16 kHz, as a WAV file of 16 bits."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


def _asked_wait(response: httpx.Response, wait: float) -> float:
    """Return the seconds that `Retry-After` asks for, up to a limit."""
    try:
        asked = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return wait
    return min(max(asked, 0.0), MAX_WAIT_SECONDS)


def _describe_refusal(response: httpx.Response) -> str:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        message = response.reason_phrase
    return f"HTTP {response.status_code}, {truncate(message, MAX_MESSAGE_CHARACTERS)}"


def _read_json(response: httpx.Response, url: str) -> Mapping[str, Any]:
    """Return the answer's JSON; servers without `verbose_json` may send the bare text."""
    kind = response.headers.get("Content-Type", "")
    if kind.startswith("text/plain"):
        return {"text": response.text}
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise InferenceError(f'{redact_url(url)} has answered no JSON object with a "text"')
    return answer


def _read_segments(answer: Mapping[str, Any], length: float, language: str | None) -> list[Segment]:
    """Return the answer's segments; without any, its text as one of the whole part."""
    codes = {name.casefold(): code for code, name in LANGUAGE_NAMES.items()}
    named = str(answer.get("language") or "").casefold()
    found = language or codes.get(named) or (named if len(named) in {2, 3} else None)
    rows = answer.get("segments") or [{"start": 0.0, "end": length, "text": answer["text"]}]
    try:
        words = [
            Word(
                _read_seconds(word["start"]), _read_seconds(word["end"]), str(word["word"]).strip()
            )
            for word in answer.get("words") or ()
        ]
        return [
            _read_segment(row, words, found, last=row is rows[-1])
            for row in rows
            if str(row["text"]).strip()
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InferenceError(f"A segment of the transcription cannot be read: {error!r}") from None


def _read_seconds(written: Any) -> float:
    """Return a time; ValueError for what is no finite number."""
    seconds = float(written)
    if not math.isfinite(seconds):
        raise ValueError(f"{written!r} is no time")
    return seconds


def _read_segment(
    row: Mapping[str, Any], words: Sequence[Word], language: str | None, last: bool
) -> Segment:
    start, end = _read_seconds(row["start"]), _read_seconds(row["end"])
    inside = tuple(word for word in words if start <= word.start and (last or word.start < end))
    likely = row.get("avg_logprob")
    score = None if likely is None else math.exp(min(float(likely), 0.0))
    return Segment(start, end, str(row["text"]).strip(), score, language, inside)

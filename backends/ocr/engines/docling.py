"""A Docling service on this machine or another: parts of pages, with their text.

The request and its answer: https://github.com/docling-project/docling-serve/blob/main/docs/usage.md
"""

import base64
import io
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from PIL import Image as Pillow

from backends.ocr.engines.base import OcrEngine
from backends.ocr.engines.docling_document import ALIASES, read_blocks
from backends.ocr.layout.page import Page
from backends.ocr.settings import OcrSettings
from shared.errors import InferenceError, redact_url, truncate
from shared.media import egress
from shared.media.image import Image
from shared.settings import Settings

# The name of this engine in model specs, and as a value of OCR_ENGINE.
ENGINE = "docling"
KEY_HEADER = "X-Api-Key"
# Answers after which the same request may succeed, how often it is sent, and the first wait.
PASSING_STATUS = frozenset({429, 502, 503})
TRIES = 3
FIRST_WAIT_SECONDS = 0.5
# A page of small print has some hundred kB, without pictures.
MAX_ANSWER_BYTES = 32_000_000
MAX_MESSAGE_CHARACTERS = 200


class DoclingEngine(OcrEngine):
    """Sends each page as a PNG to `/v1/convert/source`, and gets a DoclingDocument."""

    def __init__(self, languages: str, settings: OcrSettings, server_settings: Settings) -> None:
        self._url = f"{settings.docling_url}/v1/convert/source"
        key = settings.docling_api_key
        self._key = key.get_secret_value() if key else ""
        self._options: dict[str, Any] = {
            "from_formats": ["image"],
            "to_formats": ["json"],
            "image_export_mode": "placeholder",
            "include_images": False,
        }
        if languages:
            self._options["ocr_lang"] = languages.replace("+", ",").replace(" ", "").split(",")
        self._timeout = settings.docling_timeout
        self._client = egress.service_client(
            server_settings, settings.docling_timeout, settings.docling_concurrency
        )
        self._client.headers.update({KEY_HEADER: self._key} if self._key else {})

    def read(self, image: Image) -> Page:
        """Return the blocks of an upright image with their text, in reading order."""
        answer = self._post(json.dumps(self._request(image)).encode())
        try:
            blocks = read_blocks(_find_document(answer), image.size)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            said = str(error) if isinstance(error, ValueError) else repr(error)
            why = truncate(said, MAX_MESSAGE_CHARACTERS)
            raise self._failure(f"its document cannot be read: {why}") from None
        return Page(image.size, blocks=blocks, block_names=tuple(ALIASES))

    def _request(self, image: Image) -> Mapping[str, Any]:
        file = io.BytesIO()
        Pillow.fromarray(image.pixels).save(file, "PNG", compress_level=1)
        content = base64.b64encode(file.getvalue()).decode()
        source = {"kind": "file", "base64_string": content, "filename": "page.png"}
        return {"options": self._options, "sources": [source], "target": {"kind": "inbody"}}

    def _post(self, body: bytes) -> Mapping[str, Any]:
        """Return the answer; InferenceError says why there is none."""
        wait = FIRST_WAIT_SECONDS
        for tries_left in reversed(range(TRIES)):
            try:
                response = self._send(body)
            except httpx.TimeoutException:
                raise self._failure(
                    f"no answer came in OCR_DOCLING_TIMEOUT={self._timeout:g} s"
                ) from None
            except httpx.HTTPError as error:
                problem = egress.describe_error(error)
            else:
                if response.status_code == httpx.codes.OK:
                    return self._read_answer(response)
                problem = self._describe_refusal(response)
                if response.status_code not in PASSING_STATUS:
                    break
            if tries_left:
                time.sleep(wait)
                wait *= 2
        raise self._failure(problem)

    def _send(self, body: bytes) -> httpx.Response:
        """Return the response; ReadTimeout if its end has not come in time."""
        content, kind = bytearray(), {"Content-Type": "application/json"}
        with (
            egress.time_limit(self._timeout),
            self._client.stream("POST", self._url, content=body, headers=kind) as response,
        ):
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise self._failure(f"it has answered over {MAX_ANSWER_BYTES:,} bytes")
        return httpx.Response(response.status_code, content=bytes(content))

    def _read_answer(self, response: httpx.Response) -> Mapping[str, Any]:
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), str):
            raise self._failure('it has answered no JSON object with a "status"')
        if answer["status"] != "success":
            said = "; ".join(_messages(answer.get("errors"))) or "it does not say why"
            raise self._failure(f"the status is {answer['status']}: {self._hide_key(said)}")
        return answer

    def _describe_refusal(self, response: httpx.Response) -> str:
        try:
            said = response.json()["detail"]
        except (ValueError, KeyError, TypeError, RecursionError):
            said = response.reason_phrase
        text = said if isinstance(said, str) else json.dumps(said)
        return f"HTTP {response.status_code}, {self._hide_key(text)}"

    def _hide_key(self, text: str) -> str:
        plain = text.replace(self._key, "…") if self._key else text
        return truncate(plain, MAX_MESSAGE_CHARACTERS)

    def _failure(self, why: str) -> InferenceError:
        return InferenceError(f"Docling at {redact_url(self._url)} has read nothing: {why}")


def _find_document(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    document = answer["document"]["json_content"]
    if not isinstance(document, dict):
        raise ValueError("the answer has no json_content")
    return document


def _messages(errors: Any) -> list[str]:
    """Return what the errors of an answer say."""
    if not isinstance(errors, list):
        return []
    return [
        str(one["error_message"])
        for one in errors
        if isinstance(one, dict) and "error_message" in one
    ]

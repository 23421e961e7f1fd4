"""The connection to a server of models, which speaks OpenAI's protocol.

https://platform.openai.com/docs/api-reference/chat
"""

import json
import re
import weakref
from contextlib import closing
from typing import Any

import httpx
import orjson

from backends.prompt.models.request_failure import RequestFailedError
from backends.prompt.settings import PromptSettings
from shared.errors import ModelError, truncate
from shared.media import egress
from shared.settings import Settings

# What servers without keys are sent, since some want one.
NO_KEY = "none"
MAX_MESSAGE_LENGTH = 300
# The longest answers, with the probabilities of their tokens, have a few MB.
MAX_BODY_BYTES = 32 << 20
# A shorter key is none, such as "ollama", which servers without keys are given.
MIN_KEY_LENGTH = 8
_BEARER = re.compile(r"(?i)bearer\s+\S+")


class Connection:
    """Sends chat completions to one server: pooled connections, no redirects, no proxy.

    Nothing is retried here, and nothing is read from the environment. Requests go to httpx's
    transport itself: its client, and that of `openai` above it, would take twice as long for each
    to add cookies, redirects and retries, of which none are wanted.
    """

    def __init__(self, settings: PromptSettings, server_settings: Settings) -> None:
        self._key = settings.server_key
        self._timeout = settings.timeout
        self._chat_url = _make_url(settings, "/chat/completions")
        self._models_url = _make_url(settings, "/models")
        self._headers = _make_headers(settings)
        self._transport = egress.service_transport(server_settings, settings.concurrency)
        weakref.finalize(self, self._transport.close)  # also where its model is just dropped

    def complete(self, request: dict[str, Any]) -> Any:
        """Return the JSON of a chat completion, unchecked; RequestFailedError if there is none."""
        body = self._fetch("POST", self._chat_url, orjson.dumps(request, default=dict))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):  # no JSON, or hostile JSON
            raise RequestFailedError("body", "it sent something that is no JSON") from None

    def list_models(self) -> list[str]:
        """Return the names of the server's models; RequestFailedError if it does not say."""
        body = self._fetch("GET", self._models_url)
        try:
            return [str(model["id"]) for model in json.loads(body)["data"]]
        except (ValueError, KeyError, TypeError, RecursionError):  # such as a website's page
            raise RequestFailedError(
                "body", "it sent something that is no list of models"
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _fetch(self, method: str, url: httpx.URL, content: bytes | None = None) -> bytes:
        """Return the body of an answer that says OK; RequestFailedError if none comes."""
        request = httpx.Request(
            method,
            url,
            headers=self._headers,
            content=content,
            extensions={"timeout": httpx.Timeout(self._timeout).as_dict()},
        )
        try:
            with (
                egress.time_limit(self._timeout),
                closing(self._transport.handle_request(request)) as response,
            ):
                body = _read_bounded(response)
        except httpx.TimeoutException:
            raise RequestFailedError(
                "timeout", f"no answer came in PROMPT_TIMEOUT={self._timeout:g} s"
            ) from None
        except httpx.RequestError as error:
            raise RequestFailedError("connection", egress.describe_error(error)) from None
        if not response.is_success:
            raise self._describe_status(response, body)
        return body

    def _describe_status(self, response: httpx.Response, body: bytes) -> RequestFailedError:
        sent = body.decode("utf-8", "replace")
        error = _read_error(sent)
        said = error.get("message") or error.get("detail") or sent
        text = " ".join(_BEARER.sub("…", str(said)).split())
        if len(self._key) >= MIN_KEY_LENGTH:
            text = text.replace(self._key, "…")
        return RequestFailedError(
            "status",
            truncate(text, MAX_MESSAGE_LENGTH),
            status=response.status_code,
            code=str(error.get("code") or error.get("type") or ""),
            param=str(error.get("param") or ""),
            headers=dict(response.headers),
        )


def _read_bounded(response: httpx.Response) -> bytes:
    """Return the body of a response, unpacked; RequestFailedError beyond the bound."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise RequestFailedError("body", f"it sent more than {MAX_BODY_BYTES >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


def _read_error(body: str) -> dict[str, Any]:
    """Return what a server says is wrong: the member `error` of its JSON, or all of it."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    said = sent.get("error", sent) if isinstance(sent, dict) else None
    return said if isinstance(said, dict) else {}


def _make_url(settings: PromptSettings, path: str) -> httpx.URL:
    """Return the URL of a path below the server's address, whose query stays."""
    base = httpx.URL(settings.server_url)
    root, mark, query = base.raw_path.partition(b"?")
    url = base.copy_with(raw_path=root.rstrip(b"/") + path.encode() + mark + query)
    if settings.provider == "azure":
        return url.copy_merge_params({"api-version": settings.azure_api_version})
    return url


def _make_headers(settings: PromptSettings) -> httpx.Headers:
    """Return what every request is sent with; ModelError if the key cannot be sent."""
    key = settings.server_key or NO_KEY
    if not (key.isascii() and key.isprintable()):
        raise ModelError(
            "PROMPT_API_KEY has a character that no key has, such as a line's end: set it anew"
        )
    # Azure takes a key in the other header for a token of another kind.
    own = {"api-key": key} if settings.provider == "azure" else {"Authorization": f"Bearer {key}"}
    return httpx.Headers(
        {
            **own,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "application/json",
            "User-Agent": "prelabel",
        }
    )

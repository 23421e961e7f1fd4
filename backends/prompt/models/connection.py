"""The connection to a server of models, through the `openai` client."""

import json
import re
import weakref
from typing import TYPE_CHECKING, Any, cast

import httpx

from backends.prompt.models.request_failure import RequestFailedError
from backends.prompt.settings import PromptSettings
from shared.backend.extras import require
from shared.errors import ModelError, truncate
from shared.media import egress
from shared.media.turns import Turns
from shared.settings import Settings

if TYPE_CHECKING:
    import openai

# What servers without keys are sent, since the client wants one.
NO_KEY = "none"
MAX_MESSAGE_LENGTH = 300
# The longest answers, with the probabilities of their tokens, have a few MB.
MAX_BODY_BYTES = 32 << 20
# A shorter key is none, such as "ollama", which servers without keys are given.
MIN_KEY_LENGTH = 8
_BEARER = re.compile(r"(?i)bearer\s+\S+")


class Connection:
    """Sends chat completions to one server: pooled connections, no redirects, no proxy.

    Nothing is retried here, and nothing is read from the environment. A thread that has a turn of
    `turns` gives it back while it waits for the server. No more than PROMPT_CONCURRENCY threads ask
    at the same time, each of which has a connection: none waits for that of another.
    """

    def __init__(self, settings: PromptSettings, server_settings: Settings) -> None:
        self._openai: Any = require("openai", "prompt")
        self.turns = Turns()
        self._key = settings.server_key
        self._timeout = settings.timeout
        http = egress.service_client(server_settings, settings.timeout, settings.concurrency)
        self._client = _make_client(self._openai, settings, http)
        http.event_hooks = {"response": [_read_bounded]}
        # Azure takes a key in this header for a token of another kind.
        is_azure = settings.provider == "azure"
        self._headers = {"Authorization": self._openai.Omit()} if is_azure else {}
        weakref.finalize(self, http.close)  # also where its model is just dropped

    def complete(self, request: dict[str, Any]) -> Any:
        """Return the JSON of a chat completion, unchecked; RequestFailedError if there is none."""
        openai = self._openai
        try:
            with egress.time_limit(self._timeout, self.turns):
                # `chat.completions.create` walks through each message, to change nothing, and makes
                # objects of all that comes: for nearly half of the time that a question takes here.
                response = self._client.post(
                    "/chat/completions",
                    body=request,
                    cast_to=httpx.Response,
                    options={"headers": self._headers},
                )
                return json.loads(response.content)
        except openai.APIStatusError as error:
            raise self._describe_status(error) from None
        except openai.APITimeoutError:
            raise RequestFailedError(
                "timeout", f"no answer came in PROMPT_TIMEOUT={self._timeout:g} s"
            ) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, RequestFailedError):  # of `_read_bounded`
                raise cause from None
            why = egress.describe_error(cause) if isinstance(cause, Exception) else "no connection"
            raise RequestFailedError("connection", why) from None
        except (openai.APIError, ValueError, RecursionError):  # no JSON, or hostile JSON
            raise RequestFailedError("body", "it sent something that is no JSON") from None

    def list_models(self) -> list[str]:
        """Return the names of the server's models; RequestFailedError if it does not say."""
        openai = self._openai
        try:
            with egress.time_limit(self._timeout):
                return [str(model.id) for model in self._client.models.list()]
        except openai.APIStatusError as error:
            raise self._describe_status(error) from None
        except openai.APIError as error:
            cause = error.__cause__
            why = egress.describe_error(cause) if isinstance(cause, Exception) else "no connection"
            raise RequestFailedError("connection", why) from None
        except (ValueError, AttributeError, TypeError, RecursionError):  # a website's page
            raise RequestFailedError(
                "body", "it sent something that is no list of models"
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _describe_status(self, error: "openai.APIStatusError") -> RequestFailedError:
        body = error.body if isinstance(error.body, dict) else {}
        said = body.get("message") or body.get("detail") or error.response.text
        text = " ".join(_BEARER.sub("…", str(said)).split())
        if len(self._key) >= MIN_KEY_LENGTH:
            text = text.replace(self._key, "…")
        return RequestFailedError(
            "status",
            truncate(text, MAX_MESSAGE_LENGTH),
            status=error.status_code,
            code=str(body.get("code") or body.get("type") or ""),
            param=str(body.get("param") or ""),
            headers=dict(error.response.headers),
        )


def _read_bounded(response: httpx.Response) -> None:
    """Read the body of a response, unpacked, up to a bound; RequestFailedError beyond it."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise RequestFailedError("body", f"it sent more than {MAX_BODY_BYTES >> 20} MiB")
        parts.append(part)
    response._content = b"".join(parts)  # as `response.read` does


def _make_client(library: Any, settings: PromptSettings, http: Any) -> "openai.OpenAI":
    key = settings.server_key or NO_KEY
    if not (key.isascii() and key.isprintable()):  # the client would fail at each request
        raise ModelError(
            "PROMPT_API_KEY has a character that no key has, such as a line's end: set it anew"
        )
    # Else it would send what OPENAI_ORG_ID and OPENAI_PROJECT_ID say to any address.
    unsent = {"OpenAI-Organization": library.Omit(), "OpenAI-Project": library.Omit()}
    address = httpx.URL(settings.server_url)
    options: dict[str, Any] = {
        "api_key": key,
        "base_url": address.copy_with(query=None),
        "default_query": dict(address.params),
        "max_retries": 0,
        "timeout": settings.timeout,
        "http_client": http,
        "default_headers": unsent,
    }
    if settings.provider == "azure":
        options["default_headers"] = unsent | {"api-key": key}
        options["default_query"]["api-version"] = settings.azure_api_version
    return cast("openai.OpenAI", library.OpenAI(**options))

"""An OpenAI-compatible server of our own, for faults and load: it answers from the schema.

    with FaultServer() as server:
        monkeypatch.setenv("PROMPT_MODEL", "any")
        monkeypatch.setenv("PROMPT_BASE_URL", server.url)

Its answers fit the schema, and spans quote real words of the text. `[fault:NAME]` in a task's text
makes that task's answers faulty, `[fault:NAME*2]` only the first two; NAME is one of `FAULTS`.
"""

import asyncio
import gzip
import hashlib
import json
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.prompt.answers import answer_schema

MARK = re.compile(r"\[fault:(\w+)(?:\*(\d+))?\]")
DATA = re.compile(r"<(data\w*) [^>]*>\n(.*?)\n</\1>", re.DOTALL)
TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")
# Seconds of a slow answer, and of one that never comes.
SLOW_SECONDS, HANG_SECONDS = 0.2, 3600.0
# More than an answer may have.
HUGE_BYTES = 40 << 20
JSON = "application/json"


@dataclass(frozen=True)
class Response:
    """What is sent: a status, headers, a body; then the connection stays open or is closed."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    # Of the body, so many bytes are sent before the connection is closed.
    cut_after: int | None = None
    # How slowly it is sent; 0: at once.
    bytes_a_second: int = 0


@dataclass
class Asked:
    """One request: when it came, how many others were being answered, and what it said."""

    seconds: float
    others: int
    path: str
    query: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    fault: str = "valid"
    answered: float = 0.0
    tokens: int = 0

    @property
    def text(self) -> str:
        """What the task shows: the texts marked off as data in the last message that has any."""
        for message in reversed(self.body.get("messages", [])):
            found = [text for _, text in DATA.findall(_text_of(message))]
            if message["role"] == "user" and found:
                return "\n".join(found)
        return ""

    @property
    def all_text(self) -> str:
        return "\n".join(_text_of(message) for message in self.body.get("messages", []))


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


class FaultServer:
    """Runs in a thread of this process, from `with` on; `asked` are the requests it got.

    `features` are what it knows: json_schema, json_object, tools, logprobs, n. `seconds` is what an
    answer takes. Without the right `key`, it answers 401. `elsewhere` is where it redirects to.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        features: tuple[str, ...] = ("json_schema", "tools", "logprobs", "n"),
        seconds: float = 0.0,
        key: str = "",
        model: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.seed, self.features, self.seconds = seed, features, seconds
        self.key, self.model = key, model
        self.elsewhere = "http://127.0.0.1:9/v1"
        self.asked: list[Asked] = []
        self.connections = 0
        self.logprob = -0.05
        # Whether it answers in prose until the schema stands in a message.
        self.ignores_schemas = False
        self.tells_usage = True
        # The fault of its list of models, if any.
        self.models_fault = ""
        # Options of a request that it refuses by name.
        self.refused_options: tuple[str, ...] = ()
        # What it answers instead of what fits the schema, if anything.
        self.answer: Callable[[Mapping[str, Any], Asked], Any] | None = None
        self._times: Counter[str] = Counter()
        self._running = 0
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """The value of PROMPT_BASE_URL."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "FaultServer":
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def chats(self) -> list[Asked]:
        """Return the questions, without other requests."""
        return [asked for asked in self.asked if asked.path.endswith("/chat/completions")]

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        # Many connections may come at once.
        opening = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512, ssl=self.tls)
        server = self._loop.run_until_complete(opening)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        handlers = asyncio.all_tasks(self._loop)
        for handler in handlers:
            handler.cancel()
        self._loop.run_until_complete(asyncio.gather(*handlers, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0.001))  # connections are closed a turn later
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path, _, query = head[0].split(" ")[1].partition("?")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw or b"{}")
        asked = Asked(time.monotonic(), self._running, path, query, headers, body)
        self.asked.append(asked)
        self._running += 1
        try:
            response = await self._respond(asked)
        finally:
            self._running -= 1
            asked.answered = time.monotonic()
        return await _send(writer, response)

    async def _respond(self, asked: Asked) -> Response | None:
        refused = self._check(asked)
        if refused is not None:
            return refused
        if self.models_fault and asked.path.endswith("/models"):
            return await FAULTS[self.models_fault](self, asked)
        if not asked.path.endswith("/chat/completions"):
            return _json(200, {"object": "list", "data": [{"id": self.model or "any"}]})
        asked.fault = self._fault_of(asked.text)
        if self.ignores_schemas and '{"type"' not in asked.all_text:
            asked.fault = "prose"
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return await FAULTS[asked.fault](self, asked)

    def _check(self, asked: Asked) -> Response | None:
        sent = asked.headers.get("authorization", "").removeprefix("Bearer ")
        sent = asked.headers.get("api-key", sent)
        if self.key and sent != self.key:
            return _error(401, f"Incorrect API key provided: {sent}.", "invalid_api_key")
        model = asked.body.get("model")
        if self.model and model not in (None, self.model):
            return _error(404, f"The model `{model}` does not exist", "model_not_found")
        form = asked.body.get("response_format", {}).get("type")
        if form and form not in self.features and "json_schema" not in self.features:
            return _error(400, f"'response_format' of type '{form}' is not supported")
        if "tools" in asked.body and "tools" not in self.features:
            return _error(400, "tools is not supported with this model")
        for option in self.refused_options:
            if option in asked.body:
                return _error(400, f"Unsupported value: '{option}'")
        return None

    def _fault_of(self, text: str) -> str:
        mark = MARK.search(text)
        if mark is None:
            return "valid"
        self._times[text] += 1
        return mark[1] if self._times[text] <= int(mark[2] or 1_000_000) else "valid"

    def values(self, asked: Asked, number: int = 0) -> Any:
        """Return an answer that fits the schema, the same for the same text."""
        schema = _schema_of(asked)
        if self.answer is not None:
            return self.answer(schema, asked)
        digest = hashlib.sha256(f"{self.seed}:{number}:{asked.text}".encode()).digest()
        return answer_schema(schema, asked.text, int.from_bytes(digest[:8], "big"))

    def complete(self, asked: Asked, contents: list[str], **more: Any) -> Response:
        """Return a chat completion with these contents."""
        choices = [self._choice(asked, i, text, more) for i, text in enumerate(contents)]
        prompt, completion = len(asked.all_text) // 4, sum(len(text) // 4 for text in contents)
        asked.tokens = prompt + completion
        usage = {"prompt_tokens": prompt, "completion_tokens": completion}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": asked.body.get("model"),
            "choices": choices,
            "usage": usage | {"total_tokens": prompt + completion},
        }
        return _json(200, body if self.tells_usage else body | {"usage": None})

    def _choice(
        self, asked: Asked, index: int, text: str, more: Mapping[str, Any]
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if "tools" in asked.body and more.get("finish_reason") != "content_filter":
            name = asked.body["tools"][0]["function"]["name"]
            call = {"id": "1", "type": "function", "function": {"name": name, "arguments": text}}
            message |= {"content": None, "tool_calls": [call]}
        message |= more.get("message", {})
        choice = {
            "index": index,
            "message": message,
            "finish_reason": more.get("finish_reason", "stop"),
        }
        if asked.body.get("logprobs") and "logprobs" in self.features:
            choice["logprobs"] = {"content": [self._logprob(t) for t in TOKEN.findall(text)]}
        return choice

    def _logprob(self, token: str) -> dict[str, Any]:
        return {
            "token": token,
            "logprob": self.logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [],
        }


def _schema_of(asked: Asked) -> Mapping[str, Any]:
    """Return the schema that a request gives: as a format, as a tool, or in words."""
    found = asked.body.get("response_format", {}).get("json_schema")
    if found:
        return dict(found["schema"])
    if "tools" in asked.body:
        return dict(asked.body["tools"][0]["function"]["parameters"])
    text = asked.all_text
    start = text.find('{"type"')
    return dict(json.JSONDecoder().raw_decode(text, start)[0]) if start >= 0 else {}


async def _send(writer: asyncio.StreamWriter, response: Response | None) -> bool:
    """Send a response; return whether the connection stays open."""
    if response is None:
        return False
    lines = [f"HTTP/1.1 {response.status} Status", f"Content-Length: {len(response.body)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    writer.write("\r\n".join([*lines, "\r\n"]).encode())
    body = response.body[: response.cut_after]
    step = response.bytes_a_second // 10 or len(body) or 1
    for start in range(0, len(body), step):
        writer.write(body[start : start + step])
        await writer.drain()
        await asyncio.sleep(0.1 if response.bytes_a_second else 0)
    return response.cut_after is None


def _json(status: int, body: Any, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, json.dumps(body).encode(), {"Content-Type": JSON, **named})


def _error(status: int, message: str, code: str = "", **headers: str) -> Response:
    return _json(status, {"error": {"message": message, "code": code or None}}, **headers)


async def _valid(server: FaultServer, asked: Asked) -> Response:
    count = asked.body.get("n") or 1 if "n" in server.features else 1
    return server.complete(asked, [json.dumps(server.values(asked, i)) for i in range(count)])


async def _slow(server: FaultServer, asked: Asked) -> Response:
    await asyncio.sleep(SLOW_SECONDS)
    return await _valid(server, asked)


async def _hang(server: FaultServer, asked: Asked) -> None:
    await asyncio.sleep(HANG_SECONDS)


async def _close(server: FaultServer, asked: Asked) -> None:
    return None


async def _cut(server: FaultServer, asked: Asked) -> Response:
    whole = await _valid(server, asked)
    return Response(200, whole.body, cut_after=len(whole.body) // 2)


async def _dribble(server: FaultServer, asked: Asked) -> Response:
    return replace(await _valid(server, asked), bytes_a_second=10)


async def _truncated(server: FaultServer, asked: Asked) -> Response:
    text = json.dumps(server.values(asked))
    return server.complete(asked, [text[: len(text) // 2]], finish_reason="length")


async def _refusal(server: FaultServer, asked: Asked) -> Response:
    return server.complete(asked, [""], message={"content": None, "refusal": "I cannot do that."})


async def _content_filter(server: FaultServer, asked: Asked) -> Response:
    return server.complete(asked, [""], finish_reason="content_filter")


async def _empty_choices(server: FaultServer, asked: Asked) -> Response:
    return server.complete(asked, [])


async def _streamed(server: FaultServer, asked: Asked) -> Response:
    events = b'data: {"choices": [{"delta": {"con\n\ndata: [DONE]\n\n'
    return Response(200, events, {"Content-Type": "text/event-stream"})


async def _huge(server: FaultServer, asked: Asked) -> Response:
    return Response(200, b" " * HUGE_BYTES)


async def _bomb(server: FaultServer, asked: Asked) -> Response:
    """A body that is small until it is unpacked."""
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    return Response(200, gzip.compress(b" " * HUGE_BYTES, 1), headers)


async def _redirect(server: FaultServer, asked: Asked) -> Response:
    return Response(307, b"", {"Location": f"{server.elsewhere}/chat/completions"})


async def _echoes_key(server: FaultServer, asked: Asked) -> Response:
    return _error(500, f"no luck with key {server.key}, Bearer {server.key}")


def _says(*texts: str) -> Callable[[FaultServer, Asked], Awaitable[Response]]:
    async def respond(server: FaultServer, asked: Asked) -> Response:
        return server.complete(asked, list(texts))

    return respond


def _fails(
    status: int, message: str, code: str = "", **headers: str
) -> Callable[[FaultServer, Asked], Awaitable[Response]]:
    async def respond(server: FaultServer, asked: Asked) -> Response:
        return _error(status, message, code, **headers)

    return respond


def _sends(body: bytes, kind: str) -> Callable[[FaultServer, Asked], Awaitable[Response]]:
    async def respond(server: FaultServer, asked: Asked) -> Response:
        return Response(200, body, {"Content-Type": kind})

    return respond


def _changed(change: Callable[[Any], Any]) -> Callable[[FaultServer, Asked], Awaitable[Response]]:
    """An answer of which each value, enumerations and numbers above all, is another one."""

    async def respond(server: FaultServer, asked: Asked) -> Response:
        return server.complete(asked, [json.dumps(change(server.values(asked)))])

    return respond


def _replace_values(values: Any, text: str, number: float) -> Any:
    if isinstance(values, dict):
        return {key: _replace_values(value, text, number) for key, value in values.items()}
    if isinstance(values, list):
        return [_replace_values(value, text, number) for value in values] or [text]
    return text if isinstance(values, str) else number


FAULTS: Mapping[str, Callable[[FaultServer, Asked], Awaitable[Response | None]]] = {
    "valid": _valid,
    "slow": _slow,
    "hang": _hang,
    "closed": _close,
    "cut": _cut,
    "dribble": _dribble,
    "truncated": _truncated,
    "refusal": _refusal,
    "content_filter": _content_filter,
    "empty_choices": _empty_choices,
    "empty_content": _says(""),
    "prose": _says("I think that this is rather positive."),
    "broken_json": _says('{"sentiment": "posi'),
    "wrong_label": _changed(lambda v: _replace_values(v, "no such label", 10**9)),
    "missing_property": _changed(lambda v: {}),
    "not_an_object": _changed(lambda v: [v]),
    "half_character": _says('{"mood": "\\ud83d"}'),
    "garbage": _sends(b"\x00\xff garbage {", JSON),
    "deep": _sends(b"[" * 100_000, JSON),
    "huge": _huge,
    "bomb": _bomb,
    "page": _sends(b"<html>Welcome</html>", "text/html"),
    "streamed": _streamed,
    "redirect": _redirect,
    "rate_limit": _fails(429, "Rate limit reached", "rate_limit_exceeded", Retry_After="0"),
    "rate_limit_for_long": _fails(429, "Rate limit reached", Retry_After="3600"),
    "quota": _fails(429, "You exceeded your current quota", "insufficient_quota"),
    "error_500": _fails(500, "The server had an error"),
    "error_503": _fails(503, "Overloaded"),
    "error_400": _fails(400, "Something is wrong with this request"),
    "echoes_key": _echoes_key,
    "forbidden": _fails(403, "Not allowed here"),
    "too_long": _fails(
        400,
        "This model's maximum context length is 4096 tokens. However, your messages resulted in"
        " 9000 tokens.",
        "context_length_exceeded",
    ),
}

"""A model of this process behind an OpenAI-compatible address, for clients that ask a server.

It keeps to `response_format` and gives the probabilities of tokens. (`transformers serve`, which
would run the same model, ignores both.)
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backends.prompt.models.constrained_rows import AnswerRow, ConstrainedRows
from backends.prompt.models.local_model import LocalModel
from backends.prompt.models.reply import Token

# Seconds for one answer.
TIMEOUT = 300.0


class ModelServer:
    """Runs in threads of this process, from `with` on; `requests` are the bodies that it got."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_model": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a chat completion, whose content fits the schema of the request."""
        self.requests.append(body)
        schema = body["response_format"]["json_schema"]["schema"]
        network = self.model.network
        chat = network.write_chat(body["messages"])
        row = AnswerRow(schema, self.model.answer_tokens, body.get("temperature", 0.0))
        with self._lock:  # one model, one answer at a time
            rows = ConstrainedRows(self.model.grammar, [row], time.monotonic() + TIMEOUT)
            network.generate([chat], rows, row.max_tokens)
            rows.finish()
        message = {"role": "assistant", "content": row.data.decode()}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [_describe(token) for token in row.tokens]}
        usage = {
            "prompt_tokens": network.count_tokens(chat.text),
            "completion_tokens": len(row.tokens),
        }
        usage["total_tokens"] = sum(usage.values())
        head = {"id": "answer", "object": "chat.completion", "created": 0, "model": body["model"]}
        return {**head, "choices": [choice], "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    server_model: ModelServer

    def do_GET(self) -> None:
        entry = {"id": self.server_model.model.name, "object": "model"}
        self._send({"object": "list", "data": [entry]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(self.server_model.complete(json.loads(body)))

    def log_message(self, *args: Any) -> None:
        """Log nothing."""

    def _send(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _describe(token: Token) -> dict[str, Any]:
    text = token.piece.decode("utf-8", "replace")
    return {"token": text, "logprob": token.logprob, "bytes": [*token.piece], "top_logprobs": []}

"""What every request gets: an id, its time taken, and a place in the counts."""

import itertools
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.server.logs import request_id
from shared.server.metrics import ServerMetrics

_GOOD = re.compile(rb"[\w.:-]{1,64}")


class RequestIdMiddleware:
    """Counts and times each request, and names it in the log and in its answer.

    The id is the client's X-Request-ID, or else one of our own.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._start = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name, start, status = self._id(scope), time.perf_counter(), 500
        request_id.set(name.decode())

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name)]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - start
            self._metrics.count_request(_path_template(scope), status, seconds)

    def _id(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _GOOD.fullmatch(value):
                return bytes(value)
        return b"%s-%x" % (self._start.encode(), next(self._numbers))


def _path_template(scope: Scope) -> str:
    """Return the path, with {backend} for a backend's name, or "unknown" if nothing is there.

    It becomes a label of metrics, of which clients must not be able to make any number.
    """
    if "endpoint" not in scope:
        return "unknown"
    path: str = scope["path"]
    return "/{backend}" + path[path.rindex("/") :] if "backend" in scope["path_params"] else path

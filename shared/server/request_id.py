"""Gives every request an id, and counts and times it."""

import itertools
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.server.logs import current_request_id
from shared.server.metrics import ServerMetrics

# Ids of clients that may stand in a log and in a header as they are.
SAFE_ID = re.compile(rb"[\w.:-]{1,64}")


class RequestIdMiddleware:
    """Counts and times each request, and names it in the log and in the response.

    The id is the client's X-Request-ID, or else one of our own.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, start, status = self._id_of(scope), time.perf_counter(), 500
        current_request_id.set(request_id.decode())

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - start
            self._metrics.count_request(_path_template(scope), status, seconds)

    def _id_of(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and SAFE_ID.fullmatch(value):
                return bytes(value)
        return b"%s-%x" % (self._prefix.encode(), next(self._numbers))


def _path_template(scope: Scope) -> str:
    """Return the path, with {backend} for a backend's name, or "unknown" if there is no endpoint.

    It becomes a label of metrics, of which clients must not be able to create any number.
    """
    if "endpoint" not in scope:
        return "unknown"
    path: str = scope["path"]
    return "/{backend}" + path[path.rindex("/") :] if "backend" in scope["path_params"] else path

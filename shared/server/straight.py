"""The straight way to what Label Studio calls, past FastAPI's routing, which costs more than it."""

import logging
from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import ClientGoneError, PrelabelError
from shared.server.endpoints import Endpoints

logger = logging.getLogger(__name__)

Call = Callable[[str | None, Scope, Receive], Awaitable[Response]]


class Straight:
    """Answers the calls by method and path; whatever else comes goes on to the application."""

    def __init__(self, app: ASGIApp, calls: Endpoints, backends: list[str]) -> None:
        self._app = app
        self._table: dict[tuple[str, str], tuple[Call, str | None, str]] = {}
        for method, path, call in (
            ("GET", "/health", calls.health),
            ("POST", "/setup", calls.setup),
            ("POST", "/predict", calls.predict),
            ("POST", "/webhook", calls.webhook),
            ("GET", "/versions", calls.versions),
        ):
            self._table[method, path] = call, None, path
            for name in backends:
                self._table[method, f"/{name}{path}"] = call, name, "/{backend}" + path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        found = (
            self._table.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        )
        if found is None:
            await self._app(scope, receive, send)
            return
        call, backend, scope["call"] = found
        try:
            answer = await call(backend, scope, receive)
        except PrelabelError as error:
            answer = refused(scope["path"], error)
        await answer(scope, receive, send)


def refused(path: str, error: PrelabelError) -> Response:
    """The answer to a request that cannot be served: one sentence."""
    log = logger.info if isinstance(error, ClientGoneError) else logger.warning
    log("%s refused: %s", path, error)
    # Of a body that was not read to its end, the rest would be taken for the next request.
    headers = {"Connection": "close"} if error.status in {408, 413, 503} else None
    return JSONResponse({"detail": str(error)}, status_code=error.status, headers=headers)

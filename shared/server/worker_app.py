"""The application of a worker, which may be in the making when the worker begins to serve."""

import asyncio
import errno
import logging
import resource
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from shared.server.lasting_objects import lasting_objects
from shared.server.request_ids import RequestIds

if TYPE_CHECKING:
    from starlette.applications import Starlette

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 60


class WorkerApp:
    """An ASGI application that stands for the one that `make` returns.

    `make_now` makes it before anything is served. Otherwise a thread does, beside the event loop:
    making it imports all backends, which takes seconds, on a slow disk minutes. Meanwhile health
    checks are answered, and all other requests wait.
    """

    def __init__(self, make: "Callable[[], Starlette]") -> None:
        self._make = make
        self._ids = RequestIds()
        self._app: Starlette | None = None
        self._made = asyncio.Event()
        self._serves = asyncio.Event()
        self._stopping = asyncio.Event()
        self.failure: BaseException | None = None
        """Why there is no application; `on_failure` is then called."""
        self.on_failure: Callable[[], None] = lambda: None
        self._on_serving: Callable[[], None] = lambda: None

    def make_now(self) -> None:
        """Make the application; raises what that raises."""
        self._app = self._make()
        self._serves.set()

    @property
    def max_connections(self) -> int | None:
        """How many connections there may be now; those that come on top are to be closed.

        While the application is being made, half of the files that a process may open: what is
        imported needs files, too.
        """
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if self._serves.is_set() or most == resource.RLIM_INFINITY else most // 2

    def when_serving(self, call: Callable[[], None]) -> None:
        """Call something as soon as the application serves."""
        if self._serves.is_set():
            call()
        else:
            self._on_serving = call

    @property
    def is_starting(self) -> bool:
        """Whether the application is to come, or models that it loads at its start."""
        return self._app is None or bool(self._app.state.endpoints.is_starting)

    def drain(self, seconds: float) -> None:
        """Start nothing new; after `seconds`, running requests answer what is done by then."""
        if self._app is not None:
            self._app.state.endpoints.drain(seconds)
        else:
            self._stopping.set()  # an application that is made now comes too late
        self._serves.set()  # what waits for it waits in vain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or do what belongs to the start and the end of a server."""
        if scope["type"] == "lifespan" and not self._serves.is_set():
            await self._live(receive, send)
            return
        if not self._serves.is_set() and _is_health_check(scope):
            # The answer of `Endpoints.health`.
            response = self._respond(scope, {"status": "UP", "model_class": "prelabel"})
            await response(scope, receive, send)
            return
        await self._serves.wait()
        if self._app is None:
            response = self._respond(scope, {"detail": "The server is stopping; ask again"}, 503)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _respond(self, scope: Scope, content: Mapping[str, str], status: int = 200) -> JSONResponse:
        headers = {"X-Request-ID": self._ids.of(scope).decode()}
        return JSONResponse(content, status, headers)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Make the application, and do what belongs to its start and end."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        # A daemon, as a thread that imports libraries cannot be stopped and must not be waited for.
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._make_beside, args=(loop,), name="make", daemon=True).start()
        serving = asyncio.create_task(self._serve())
        await receive()
        self._stopping.set()
        if self._app is None:
            serving.cancel()
        await asyncio.wait([serving])
        await send({"type": "lifespan.shutdown.complete"})

    def _make_beside(self, loop: asyncio.AbstractEventLoop) -> None:
        made: Starlette | BaseException
        try:
            with lasting_objects():
                made = self._make_patiently()
        except BaseException as error:  # other people's packages may raise anything
            made = error
        with suppress(RuntimeError):  # the event loop is closed: the worker has ended meanwhile
            loop.call_soon_threadsafe(self._take, made)

    def _take(self, made: "Starlette | BaseException") -> None:
        """Take what was made, or why nothing was; neither once the server is to stop."""
        if self._stopping.is_set():
            return
        if isinstance(made, BaseException):
            self.failure = made
        else:
            self._app = made
        self._made.set()

    def _make_patiently(self) -> "Starlette":
        """Make the application; again, while connections that are about to be closed hold files."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._make()
            except OSError as error:
                if error.errno != errno.EMFILE or time.monotonic() > until:
                    raise
            time.sleep(RETRY_SECONDS)

    async def _serve(self) -> None:
        await self._made.wait()
        if self._app is None:
            self.on_failure()
            return
        try:
            async with self._app.router.lifespan_context(self._app):
                self._on_serving()
                self._serves.set()
                await self._stopping.wait()
        except Exception as error:
            if self._stopping.is_set():
                logger.exception("What belongs to the end of the server has failed")
                return
            self.failure = error
            self.on_failure()


def _is_health_check(scope: Scope) -> bool:
    return scope["path"] == "/health" and scope["method"] in {"GET", "HEAD"}

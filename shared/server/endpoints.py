"""What each endpoint answers: read the request's body, ask the service, build the response."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import orjson
from anyio import CapacityLimiter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from shared import __version__
from shared.errors import DeadlineError
from shared.pipeline.scheduling.request_scope import PrioritySemaphore, RequestScope
from shared.server.http_messages import (
    BodyReader,
    PredictRequest,
    SetupRequest,
    StoppingError,
    WebhookRequest,
    pack_results,
    parse_body,
)
from shared.server.job_endpoints import check_sender
from shared.server.metrics import ServerMetrics
from shared.server.service import MAX_INLINE_BODY_BYTES, PredictionService
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.server.pages.site import Site

logger = logging.getLogger(__name__)

# Threads for interactive requests, and as many for bulk requests; more of a kind queue up, so
# that bulk requests never take the threads of those for whom a user waits.
MAX_CONCURRENT_REQUESTS = 64
# How many of these threads run Python code; the others wait for a model. More would compete with
# the event loop for the interpreter, and health checks would be answered late.
MAX_RUNNING_REQUESTS = 2
# Threads for /setup and /versions, and as many for parsing large bodies.
SHORT_CALL_THREADS = 4


class Endpoints:
    """The handlers of all endpoints, by the names of their paths; see the table in `app`.

    Those that are served under `/{backend}` too answer 404 for the name of no backend.
    """

    def __init__(
        self, service: PredictionService, settings: Settings, metrics: ServerMetrics
    ) -> None:
        self._service = service
        self._settings = settings
        self._site: Site | None = None
        self._deadline = settings.predict_deadline
        self._bodies = BodyReader(settings)
        self._metrics = metrics
        self._predict_threads = {
            interactive: CapacityLimiter(MAX_CONCURRENT_REQUESTS) for interactive in (True, False)
        }
        self._short_call_threads = CapacityLimiter(SHORT_CALL_THREADS)
        self._parse_threads = CapacityLimiter(SHORT_CALL_THREADS)
        self._slots = PrioritySemaphore(MAX_RUNNING_REQUESTS)
        self._running: set[RequestScope] = set()
        self._stopping = False

    @property
    def is_starting(self) -> bool:
        """Whether models of the start are still to be loaded."""
        return self._service.is_starting

    async def predict(self, request: Request) -> Response:
        """Predict tasks. As many results as tasks, in their order."""
        scope = RequestScope(self._deadline)
        backend = self._backend_of(request)
        body = await self._bodies.read(request)
        if self._stopping:
            raise StoppingError
        # Parsed before it queues for a thread: its content says whether a user waits for it.
        message = await self._parse_predict_request(body)
        packed = await self._predict(message, len(body), backend, scope, request.receive)
        return Response(packed, media_type="application/json")

    async def predict_from_page(
        self, message: PredictRequest, body_bytes: int, receive: Receive
    ) -> bytes:
        """Predict what a form holds, as `predict` does."""
        if self._stopping:
            raise StoppingError
        return await self._predict(message, body_bytes, None, RequestScope(self._deadline), receive)

    async def health(self, request: Request) -> Response:
        """Label Studio's health check: answered from memory, whatever else is running."""
        backend = request.path_params.get("backend")
        if backend is not None and backend not in self._service.names:
            # Needs no password, so it tells no names.
            raise HTTPException(404, "There is no such backend")
        return JSONResponse({"status": "UP", "model_class": backend or "prelabel"})

    async def setup(self, request: Request) -> Response:
        """Return the model version for a label config."""
        backend = self._backend_of(request)
        message = parse_body(await self._bodies.read(request), SetupRequest)
        # From memory if possible: a thread would compete for the interpreter with predictions.
        sent = message.label_config, message.project_key, backend
        if message.extra_params:
            take = partial(self._service.take_parameters, message)
            await anyio.to_thread.run_sync(take, limiter=self._short_call_threads)
        version = self._service.known_version(*sent)
        if version is None:
            find = partial(self._service.version, *sent)
            version = await anyio.to_thread.run_sync(find, limiter=self._short_call_threads)
        return JSONResponse({"model_version": version})

    async def webhook(self, request: Request) -> Response:
        """Take an event of a project. Answered at once, since Label Studio waits one second.

        START_TRAINING trains the project; events of annotations are counted for
        TRAIN_EACH_N_UPDATES. `status` says what is done, or what is missing.
        """
        self._backend_of(request)
        check_sender(request)
        message = parse_body(await self._bodies.read(request), WebhookRequest)
        return JSONResponse({"status": self._service.handle_event(message)}, 201)

    async def versions(self, request: Request) -> Response:
        """Return the model versions in use, for Label Studio's choice of versions."""
        self._backend_of(request)
        versions = await anyio.to_thread.run_sync(
            self._service.versions, limiter=self._short_call_threads
        )
        return JSONResponse({"versions": versions})

    async def index(self, request: Request) -> Response:
        """Name the server, its backends and further endpoints; a browser gets a page instead."""
        if _wants_html(request):
            return await self.pages(request)
        return JSONResponse(
            {
                "status": "UP",
                "server": f"prelabel {__version__}",
                "backends": self._service.names,
                "more": ["/status", "/ready", "/metrics", "/jobs", "/docs"],
            }
        )

    async def ready(self, request: Request) -> Response:
        """200 when the models of the start are loaded, else 503; with all that are not, and why."""
        readiness = self._service.readiness()
        return JSONResponse(readiness.to_json(), status_code=200 if readiness.ready else 503)

    async def status(self, request: Request) -> Response:
        """Report backends, models, label configs, trainings, and the last failures."""
        report = await anyio.to_thread.run_sync(self._service.status)
        return Response(orjson.dumps(report, default=str), media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Return the metrics of all workers in Prometheus' text format."""
        # In a thread: parsing those of 16 workers would keep health checks waiting.
        text = await anyio.to_thread.run_sync(self._metrics.render)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def pages(self, request: Request) -> Response:
        """Show a page. Nothing of the pages is imported before the first is asked for."""
        if self._site is None:
            self._site = await anyio.to_thread.run_sync(self._open_site)
        return await self._site.answer(request)

    def _open_site(self) -> "Site":
        from shared.server.pages.site import Site

        return Site(self._service, self._settings, self._bodies, self.predict_from_page)

    def drain(self, seconds: float) -> None:
        """Start nothing new; after `seconds`, running requests answer what is done by then."""
        self._stopping = True
        self._bodies.stop()
        asyncio.get_running_loop().call_later(seconds, self._cancel_running)

    def _cancel_running(self) -> None:
        late = DeadlineError("The server stopped before this task was done; ask again to go on")
        for scope in self._running:
            scope.cancel(late)

    def _backend_of(self, request: Request) -> str | None:
        """Return the backend that the path names, if any; 404 if there is none of that name."""
        backend: str | None = request.path_params.get("backend")
        if backend is not None and backend not in self._service.names:
            names = ", ".join(f"/{name}" for name in self._service.names)
            raise HTTPException(404, f"There is no backend /{backend}; available: {names}")
        return backend

    async def _parse_predict_request(self, body: bytes) -> PredictRequest:
        if len(body) <= MAX_INLINE_BODY_BYTES:
            return parse_body(body, PredictRequest)
        parse = partial(parse_body, body, PredictRequest)
        return await anyio.to_thread.run_sync(parse, limiter=self._parse_threads)

    async def _predict(
        self,
        message: PredictRequest,
        body_bytes: int,
        backend: str | None,
        scope: RequestScope,
        receive: Receive,
    ) -> bytes:
        """Predict in this thread or another, and count it; return the response's body."""
        start = time.monotonic()
        scope.interactive = message.interactive
        if self._service.answers_inline(message, body_bytes, backend):
            packed, failed = self._predict_tasks(message, backend, scope)
        else:
            packed, failed = await self._predict_in_thread(message, backend, scope, receive)
        count, seconds = len(message.tasks), round(time.monotonic() - start, 4)
        if self._service.predicts(message, backend):
            self._metrics.predicted_tasks.inc(count - failed)
            self._metrics.failed_tasks.inc(failed)
        else:
            failed = 0
        fields = {"tasks": count, "failed": failed, "seconds": seconds}
        logger.info("predicted", extra={"fields": fields})
        return packed

    async def _predict_in_thread(
        self, message: PredictRequest, backend: str | None, scope: RequestScope, receive: Receive
    ) -> tuple[bytes, int]:
        """Do the same as `_predict_tasks` in a thread, when one is free."""
        scope.slots = self._slots
        predict = partial(self._predict_tasks, message, backend, scope)
        limiter = self._predict_threads[scope.interactive]
        self._running.add(scope)
        try:
            async with _cancel_on_disconnect(receive, scope):
                return await anyio.to_thread.run_sync(predict, limiter=limiter)
        finally:
            self._running.discard(scope)

    def _predict_tasks(
        self, message: PredictRequest, backend: str | None, scope: RequestScope
    ) -> tuple[bytes, int]:
        """Return the response's body, and how many tasks failed."""
        results = self._service.predict(message, backend, scope)
        empty: Any = [] if message.context is None else {"result": []}
        packed, lost = pack_results(results, empty)
        return packed, lost + sum(1 for result in results if result == [])


@asynccontextmanager
async def _cancel_on_disconnect(receive: Receive, scope: RequestScope) -> AsyncIterator[None]:
    """Cancel a request when its client closes the connection during the block."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.disconnect()

    listener = asyncio.create_task(listen())
    try:
        yield
    finally:
        listener.cancel()


def _wants_html(request: Request) -> bool:
    """Return whether a browser asks: it names HTML, which programs that read JSON do not."""
    accepted = request.headers.get("accept", "").lower().split(",")
    kinds = [kind.partition(";")[0].strip() for kind in accepted]
    if "text/html" not in kinds:
        return False
    json = kinds.index("application/json") if "application/json" in kinds else len(kinds)
    return kinds.index("text/html") < json

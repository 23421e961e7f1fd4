"""What Label Studio calls: from a request's body to the answer."""

import asyncio
import logging
import time
from functools import partial
from typing import Any

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope

from shared.errors import DeadlineError
from shared.pipeline.scheduling.priority_semaphore import PrioritySemaphore
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.logs import event
from shared.server.metrics import Metrics
from shared.server.request_body import BodyReader, StoppingError
from shared.server.schemas import PredictRequest, SetupRequest, WebhookRequest, pack, parse
from shared.server.service import PredictionService
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Requests for predictions under way at once; more wait their turn.
MAX_CONCURRENT_REQUESTS = 64
# Of these, those that do not just wait for a model: the event loop waits for them.
MAX_RUNNING_REQUESTS = 2
# Bytes of a body that is read, and perhaps answered, by the event loop itself.
MAX_INLINE_BODY_BYTES = 16_384


class Endpoints:
    """Each takes the backend that the path names, if any, and the ASGI request."""

    def __init__(self, answers: PredictionService, settings: Settings, metrics: Metrics) -> None:
        self._answers = answers
        self._deadline = settings.predict_deadline
        self._bodies = BodyReader(settings)
        self._metrics = metrics
        self._limits = {
            urgent: CapacityLimiter(MAX_CONCURRENT_REQUESTS) for urgent in (True, False)
        }
        self._asking = CapacityLimiter(4)
        self._parsing = CapacityLimiter(4)
        self._hands = PrioritySemaphore(MAX_RUNNING_REQUESTS)
        self._under_way: set[RequestScope] = set()
        self._stopping = False

    async def health(self, backend: str | None, scope: Scope, receive: Receive) -> Response:
        """Label Studio's health check: answered from memory, whatever else goes on."""
        return JSONResponse({"status": "UP", "model_class": backend or "prelabel"})

    async def setup(self, backend: str | None, scope: Scope, receive: Receive) -> Response:
        """The model version for a label config."""
        message = parse(await self._bodies.read(scope, receive), SetupRequest)

        def version() -> str:
            return self._answers.version(message.label_config, _project(message.project), backend)

        # From memory if possible: a thread would wait for the interpreter among those that predict.
        found = self._answers.known_version(message.label_config, backend)
        if found is None:
            found = await anyio.to_thread.run_sync(version, limiter=self._asking)
        return JSONResponse({"model_version": found})

    async def predict(self, backend: str | None, scope: Scope, receive: Receive) -> Response:
        """Predictions for tasks: as many as tasks, in their order."""
        start, waiting = time.monotonic(), RequestScope(self._deadline)
        body = await self._bodies.read(scope, receive)
        if self._stopping:
            raise StoppingError
        if len(body) <= MAX_INLINE_BODY_BYTES:
            message = _parsed(body, waiting)
        else:  # before it takes its turn: it says whether a user waits for it
            message = await anyio.to_thread.run_sync(_parsed, body, waiting, limiter=self._parsing)
        if len(body) <= MAX_INLINE_BODY_BYTES and self._answers.at_once(message, backend):
            packed, count, failed = self._predict(message, backend, waiting)
        else:
            packed, count, failed = await self._in_turn(message, backend, waiting, receive)
        self._metrics.predicted(count - failed, failed)
        seconds = round(time.monotonic() - start, 4)
        event(logger, "predicted", tasks=count, failed=failed, seconds=seconds)
        return Response(packed, media_type="application/json")

    async def webhook(self, backend: str | None, scope: Scope, receive: Receive) -> Response:
        """Events of the project: answered at once, since Label Studio waits one second."""
        message = parse(await self._bodies.read(scope, receive), WebhookRequest)
        return JSONResponse({"status": self._answers.event(message)}, 201)

    async def versions(self, backend: str | None, scope: Scope, receive: Receive) -> Response:
        """The model versions in use, for Label Studio's choice of versions."""
        found = await anyio.to_thread.run_sync(self._answers.versions, limiter=self._asking)
        return JSONResponse({"versions": found})

    def drain(self, seconds: float) -> None:
        """Begin nothing new; what is running answers what is done after so many seconds."""
        self._stopping = True
        self._bodies.stop()
        asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        """Of requests that work, and of those that wait for a thread or a hand."""
        late = DeadlineError("The server stopped before this task was done; ask again to go on")
        for waiting in self._under_way:
            waiting.cancel(late)

    async def _in_turn(
        self, message: PredictRequest, backend: str | None, waiting: RequestScope, receive: Receive
    ) -> tuple[bytes, int, int]:
        """The same as `_predict`, in a thread, when one is free."""
        waiting.slots = self._hands
        work = partial(self._predict, message, backend, waiting)
        self._under_way.add(waiting)
        try:
            async with DisconnectWatcher(receive, waiting):
                return await anyio.to_thread.run_sync(
                    work, limiter=self._limits[waiting.interactive]
                )
        finally:
            self._under_way.discard(waiting)

    def _predict(
        self, message: PredictRequest, backend: str | None, waiting: RequestScope
    ) -> tuple[bytes, int, int]:
        """The packed answer, the number of tasks, and of those that failed."""
        results = self._answers.predict(message, backend, waiting)
        empty: Any = [] if message.context is None else {"result": []}
        packed, lost = pack(results, empty)
        return packed, len(results), lost + sum(1 for result in results if result == [])


class DisconnectWatcher:
    """While in the `async with` block, notices when the client closes the connection."""

    def __init__(self, receive: Receive, waiting: RequestScope) -> None:
        self._receive = receive
        self._waiting = waiting

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def __aexit__(self, *error: Any) -> None:
        self._task.cancel()

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._waiting.disconnect()


def _parsed(body: bytes, waiting: RequestScope) -> PredictRequest:
    """The message; a user waits for one task alone, as for what was just drawn."""
    message = parse(body, PredictRequest)
    waiting.interactive = message.context is not None or len(message.tasks) == 1
    return message


def _project(project: str | int | None) -> str:
    return str(project or "").split(".", 1)[0]

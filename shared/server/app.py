"""The ASGI application: the table of endpoints, middleware, and what becomes of errors."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.errors import ClientGoneError, PrelabelError
from shared.pipeline.runtime import reset_runtime, runtime
from shared.server.endpoints import Endpoints
from shared.server.http_messages import (
    PredictRequest,
    PredictResponse,
    SetupRequest,
    SetupResponse,
    WebhookRequest,
)
from shared.server.metrics import ServerMetrics
from shared.server.middleware import AuthMiddleware, RequestIdMiddleware, TracingMiddleware
from shared.server.openapi import Endpoint, documentation_routes
from shared.server.service import PredictionService
from shared.server.worker_metrics import PUBLISH_INTERVAL_SECONDS, WorkerMetrics
from shared.settings import Settings

logger = logging.getLogger(__name__)

# The router tries them in this order, so the busiest come first. Label Studio calls the first
# five, on the root or under the name of one backend; operators call the others.
ENDPOINTS = (
    Endpoint(
        "POST", "/predict", Endpoints.predict, PredictRequest, PredictResponse, per_backend=True
    ),
    Endpoint("GET", "/health", Endpoints.health, per_backend=True),
    Endpoint("POST", "/setup", Endpoints.setup, SetupRequest, SetupResponse, per_backend=True),
    Endpoint(
        "POST", "/webhook", Endpoints.webhook, request=WebhookRequest, status=201, per_backend=True
    ),
    Endpoint("GET", "/versions", Endpoints.versions, per_backend=True),
    Endpoint("GET", "/", Endpoints.index),
    Endpoint("GET", "/ready", Endpoints.ready),
    Endpoint("GET", "/status", Endpoints.status),
    Endpoint("GET", "/metrics", Endpoints.metrics, media_type="text/plain"),
)


def create_app(
    service: PredictionService, settings: Settings, worker_metrics: WorkerMetrics | None = None
) -> Starlette:
    """Return the application that serves these predictions.

    `worker_metrics` is shared by the workers of one server, if it has several.
    """
    metrics = ServerMetrics(worker_metrics)
    endpoints = Endpoints(service, settings, metrics)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=service.warm_up, name="warm up", daemon=True).start()
        publishing = asyncio.create_task(_publish_metrics(metrics)) if worker_metrics else None
        yield
        if publishing is not None:
            publishing.cancel()
        reset_runtime()

    app = Starlette(
        routes=[
            *(
                Route(path, partial(endpoint.handler, endpoints), methods=[endpoint.method])
                for endpoint in ENDPOINTS
                for path in endpoint.paths
            ),
            *documentation_routes(ENDPOINTS),
            Route("/pages/{path:path}", endpoints.pages, methods=["GET", "POST"]),
        ],
        middleware=_middleware(settings, metrics),
        exception_handlers={
            PrelabelError: _refuse_request,
            HTTPException: _answer_http_error,
            Exception: _answer_internal_error,
        },
        lifespan=lifespan,
    )
    app.state.endpoints = endpoints
    return app


def _middleware(settings: Settings, metrics: ServerMetrics) -> list[Middleware]:
    """Return what each request passes, from the outside in."""
    tracing = runtime().tracing if settings.otel_exporter_otlp_endpoint else None
    return [
        Middleware(RequestIdMiddleware, metrics=metrics),
        *([Middleware(TracingMiddleware, tracing=tracing)] if tracing else []),
        Middleware(AuthMiddleware, settings=settings),
    ]


async def _publish_metrics(metrics: ServerMetrics) -> None:
    """Publish this worker's metrics to the others, again and again; in a thread, as it is a file.

    A full disk must not end it: later the metrics should be published again.
    """
    while True:
        try:
            await anyio.to_thread.run_sync(metrics.publish)
        except OSError as error:
            logger.warning("Cannot write this worker's metrics: %s", error.strerror)
        await asyncio.sleep(PUBLISH_INTERVAL_SECONDS)


async def _refuse_request(request: Request, error: Exception) -> Response:
    """Answer a request that cannot be served, in one sentence."""
    assert isinstance(error, PrelabelError)
    log = logger.info if isinstance(error, ClientGoneError) else logger.warning
    log("%s refused: %s", request.url.path, error)
    # The rest of a body that was not read to its end would be taken for the next request.
    headers = {"Connection": "close"} if error.status in {408, 413, 503} else None
    return JSONResponse({"detail": str(error)}, status_code=error.status, headers=headers)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _answer_internal_error(request: Request, error: Exception) -> Response:
    """Answer one sentence; the server, to which the error is raised again, logs the traceback."""
    return JSONResponse(
        {"detail": f"Internal error ({type(error).__name__}); the log has the details"}, 500
    )

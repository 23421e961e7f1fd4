"""The ASGI application: the table of endpoints, middleware, and what becomes of errors."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

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
    BodyReader,
    PredictRequest,
    PredictResponse,
    SetupRequest,
    SetupResponse,
    WebhookRequest,
)
from shared.server.job_endpoints import ACCEPTED, JobEndpoints, JobRequest
from shared.server.metrics import ServerMetrics
from shared.server.middleware import AuthMiddleware, RequestIdMiddleware, TracingMiddleware
from shared.server.openapi import Endpoint, documentation_routes
from shared.server.service import PredictionService
from shared.server.training_triggers import TrainingTriggers
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
JOB_ENDPOINTS = (
    Endpoint("GET", "/jobs", JobEndpoints.list_jobs),
    Endpoint("POST", "/jobs", JobEndpoints.start_job, JobRequest, status=ACCEPTED),
    Endpoint("GET", "/jobs/{id}", JobEndpoints.show_job),
    Endpoint("POST", "/jobs/{id}/cancel", JobEndpoints.cancel_job, status=ACCEPTED),
)
# How often jobs are looked for whose process is gone.
RECONCILE_SECONDS = 30.0


def create_app(
    service: PredictionService, settings: Settings, worker_metrics: WorkerMetrics | None = None
) -> Starlette:
    """Return the application that serves these predictions.

    `worker_metrics` is shared by the workers of one server, if it has several.
    """
    metrics = ServerMetrics(worker_metrics)
    endpoints = Endpoints(service, settings, metrics)
    job_endpoints = JobEndpoints(lambda: service.training, BodyReader(settings))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=service.warm_up, name="warm up", daemon=True).start()
        training = service.training
        running = [asyncio.create_task(_reconcile_jobs(training))] if training else []
        if worker_metrics is not None:
            running.append(asyncio.create_task(_publish_metrics(metrics)))
        yield
        for task in running:
            task.cancel()
        if training is not None:
            training.close()
        reset_runtime()

    app = Starlette(
        routes=[
            *_make_routes(ENDPOINTS, endpoints),
            *_make_routes(JOB_ENDPOINTS, job_endpoints),
            *documentation_routes((*ENDPOINTS, *JOB_ENDPOINTS)),
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


def _make_routes(table: Iterable[Endpoint], handlers: Any) -> list[Route]:
    return [
        Route(path, partial(endpoint.handler, handlers), methods=[endpoint.method])
        for endpoint in table
        for path in endpoint.paths
    ]


async def _reconcile_jobs(training: TrainingTriggers) -> None:
    """Look after jobs whose process is gone, at the start and again and again."""
    while True:
        await anyio.to_thread.run_sync(training.reconcile)
        await asyncio.sleep(RECONCILE_SECONDS)


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

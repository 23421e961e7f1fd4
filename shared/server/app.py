"""The ASGI application: every route of the contract."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from shared import __version__
from shared.errors import PrelabelError
from shared.pipeline.runtime import reset_runtime
from shared.server.auth import AuthMiddleware
from shared.server.endpoints import Endpoints
from shared.server.metrics import Metrics
from shared.server.request_body import described
from shared.server.request_id import RequestIdMiddleware
from shared.server.schemas import (
    PredictRequest,
    PredictResponse,
    SetupRequest,
    SetupResponse,
    WebhookRequest,
)
from shared.server.service import PredictionService
from shared.server.straight import Straight, refused
from shared.server.worker_metrics import PUBLISH_INTERVAL_SECONDS, WorkerMetrics
from shared.settings import Settings

logger = logging.getLogger(__name__)


def create_app(
    answers: PredictionService, settings: Settings, neighbours: WorkerMetrics | None = None
) -> FastAPI:
    """The application that serves these answers, perhaps beside others of one server."""
    metrics = Metrics(neighbours)
    calls = Endpoints(answers, settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=answers.warm_up, name="warm up", daemon=True).start()
        leaving = asyncio.create_task(_leave(metrics)) if neighbours else None
        yield
        if leaving is not None:
            leaving.cancel()
        reset_runtime()

    app = FastAPI(title="prelabel", version=__version__, lifespan=lifespan)
    app.state.answers, app.state.calls, app.state.metrics = answers, calls, metrics
    app.include_router(router)
    app.include_router(about)
    app.include_router(router, prefix="/{backend}")
    app.add_exception_handler(PrelabelError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Straight, calls=calls, backends=answers.names)
    app.add_middleware(AuthMiddleware, settings=settings)
    app.add_middleware(RequestIdMiddleware, metrics=metrics)
    return app


async def _leave(metrics: Metrics) -> None:
    """Leave the figures for the other workers now and then; in a thread, as it is a file."""
    while True:
        try:
            await anyio.to_thread.run_sync(metrics.leave)
        except OSError as error:  # the disk is full, for now
            logger.warning("The figures of a worker cannot be written: %s", error.strerror)
        await asyncio.sleep(PUBLISH_INTERVAL_SECONDS)


# What Label Studio calls: on the root, and below the name of each backend. See `Straight`.
router = APIRouter()
# What an operator calls.
about = APIRouter()


@router.get("/health")
async def health(request: Request) -> Response:
    """Label Studio's health check: answered from memory, whatever else goes on."""
    if request.path_params.get("backend", "") not in ("", *request.app.state.answers.names):
        raise HTTPException(404, "There is no such backend")  # names are for who has the password
    return await _calls(request).health(_backend(request), request.scope, request.receive)


@router.post("/setup", response_model=SetupResponse, openapi_extra=described(SetupRequest))
async def setup(request: Request) -> Response:
    """The model version for a label config."""
    return await _calls(request).setup(_backend(request), request.scope, request.receive)


@router.post("/predict", response_model=PredictResponse, openapi_extra=described(PredictRequest))
async def predict(request: Request) -> Response:
    """Predictions for tasks: as many as tasks, in their order."""
    return await _calls(request).predict(_backend(request), request.scope, request.receive)


@router.post("/webhook", status_code=201, openapi_extra=described(WebhookRequest))
async def webhook(request: Request) -> Response:
    """Events of the project: answered at once, since Label Studio waits one second."""
    return await _calls(request).webhook(_backend(request), request.scope, request.receive)


@router.get("/versions")
async def versions(request: Request) -> Response:
    """The model versions in use, for Label Studio's choice of versions."""
    return await _calls(request).versions(_backend(request), request.scope, request.receive)


@about.get("/")
async def index(request: Request) -> dict[str, Any]:
    """What serves here."""
    return {
        "status": "UP",
        "server": f"prelabel {__version__}",
        "backends": request.app.state.answers.names,
        "more": ["/status", "/ready", "/metrics", "/docs"],
    }


@about.get("/ready")
async def ready(request: Request) -> Response:
    """200 when all models are loaded; else 503, which are not, and why."""
    answers: PredictionService = request.app.state.answers
    found = answers.readiness()
    body = {"ready": found.ready, "waiting": dict(found.waiting), "failed": dict(found.failed)}
    return JSONResponse(body, status_code=200 if found.ready else 503)


@about.get("/status")
async def status(request: Request) -> Response:
    """Backends, models, label configs with their mappings, and the last failures."""
    answers: PredictionService = request.app.state.answers
    found = await anyio.to_thread.run_sync(answers.status)
    return Response(orjson.dumps(found, default=str), media_type="application/json")


@about.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures in Prometheus format."""
    # In a thread: parsing those of 16 workers would leave health checks waiting.
    text = await anyio.to_thread.run_sync(request.app.state.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _calls(request: Request) -> Endpoints:
    calls: Endpoints = request.app.state.calls
    return calls


def _backend(request: Request) -> str | None:
    """The backend that the path names, if any."""
    answers: PredictionService = request.app.state.answers
    backend: str | None = request.path_params.get("backend")
    if backend is not None and backend not in answers.names:
        names = ", ".join(f"/{name}" for name in answers.names)
        raise HTTPException(404, f"There is no backend /{backend}; there are: {names}")
    return backend


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrelabelError)
    return refused(request.url.path, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    """The last net: the log gets the traceback (from the server), the client one sentence."""
    return JSONResponse(
        {"detail": f"Internal error ({type(error).__name__}); the log has the details"}, 500
    )

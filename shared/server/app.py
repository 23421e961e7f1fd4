"""The ASGI application: every route of the contract."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import orjson
from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from shared import __version__
from shared.errors import PrelabelError
from shared.runtime import reset
from shared.server.auth import BasicAuth
from shared.server.body import described, read_body
from shared.server.metrics import Measured, Metrics
from shared.server.protocol import (
    PredictRequest,
    PredictResponse,
    SetupRequest,
    SetupResponse,
    WebhookRequest,
    pack,
    parse,
)
from shared.server.service import Answers
from shared.settings import Settings

logger = logging.getLogger(__name__)

PREDICTING = 64
"""Requests for predictions under way at once; more wait their turn."""


def create_app(answers: Answers, settings: Settings) -> FastAPI:
    """The application that serves these answers."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=answers.warm_up, name="warm up", daemon=True).start()
        yield
        reset()

    app = FastAPI(title="prelabel", version=__version__, lifespan=lifespan)
    app.state.answers, app.state.settings, app.state.metrics = answers, settings, Metrics()
    app.state.predicting, app.state.asking = CapacityLimiter(PREDICTING), CapacityLimiter(4)
    app.include_router(router)
    app.include_router(about)
    app.include_router(router, prefix="/{backend}")
    app.add_exception_handler(PrelabelError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(BasicAuth, settings=settings)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app


router = APIRouter()
"""What Label Studio calls: on the root, and below the name of each backend."""
about = APIRouter()
"""What an operator calls."""


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Label Studio's health check: answered from memory, whatever else goes on."""
    _, backend = _known(request)
    return {"status": "UP", "model_class": backend or "prelabel"}


@router.post("/setup", response_model=SetupResponse, openapi_extra=described(SetupRequest))
async def setup(request: Request) -> Response:
    """The model version for a label config."""
    answers, backend = _known(request)
    message = parse(await _body(request), SetupRequest)

    def version() -> str:
        return answers.version(message.label_config, _project(message.project), backend)

    # From memory if possible: a thread would wait for the interpreter among those that predict.
    found = answers.known_version(message.label_config, backend)
    if found is None:
        found = await anyio.to_thread.run_sync(version, limiter=request.app.state.asking)
    return JSONResponse({"model_version": found})


@router.post("/predict", response_model=PredictResponse, openapi_extra=described(PredictRequest))
async def predict(request: Request) -> Response:
    """Predictions for tasks: as many as tasks, in their order."""
    answers, backend = _known(request)
    body = await _body(request)

    def work() -> tuple[bytes, int, int]:
        message = parse(body, PredictRequest)
        results = answers.predict(message, backend)
        empty: Any = [] if message.context is None else {"result": []}
        packed, lost = pack(results, empty)
        failed = lost + sum(1 for result in results if result == [])
        return packed, len(results), failed

    packed, count, failed = await anyio.to_thread.run_sync(
        work, limiter=request.app.state.predicting
    )
    tasks = request.app.state.metrics.tasks
    tasks.labels("predicted").inc(count - failed)
    tasks.labels("failed").inc(failed)
    return Response(packed, media_type="application/json")


@router.post("/webhook", status_code=201, openapi_extra=described(WebhookRequest))
async def webhook(request: Request) -> dict[str, str]:
    """Events of the project: answered at once, since Label Studio waits one second."""
    answers, _ = _known(request)
    message = parse(await _body(request), WebhookRequest)
    return {"status": answers.event(message)}


@router.get("/versions")
async def versions(request: Request) -> dict[str, list[str]]:
    """The model versions in use, for Label Studio's choice of versions."""
    answers, _ = _known(request)
    found = await anyio.to_thread.run_sync(answers.versions, limiter=request.app.state.asking)
    return {"versions": found}


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
    answers: Answers = request.app.state.answers
    found = answers.readiness()
    body = {"ready": found.ready, "waiting": dict(found.waiting), "failed": dict(found.failed)}
    return JSONResponse(body, status_code=200 if found.ready else 503)


@about.get("/status")
async def status(request: Request) -> Response:
    """Backends, models, label configs with their mappings, and the last failures."""
    answers: Answers = request.app.state.answers
    found = await anyio.to_thread.run_sync(answers.status, limiter=request.app.state.asking)
    return Response(orjson.dumps(found, default=str), media_type="application/json")


@about.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures in Prometheus format."""
    text = request.app.state.metrics.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _known(request: Request) -> tuple[Answers, str | None]:
    """What answers, and the backend that the path names, if any."""
    answers: Answers = request.app.state.answers
    backend: str | None = request.path_params.get("backend")
    if backend is not None and backend not in answers.names:
        names = ", ".join(f"/{name}" for name in answers.names)
        raise HTTPException(404, f"There is no backend /{backend}; there are: {names}")
    return answers, backend


async def _body(request: Request) -> bytes:
    return await read_body(request, request.app.state.settings.max_body_mb)


def _project(project: str | int | None) -> str:
    return str(project or "").split(".", 1)[0]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrelabelError)
    logger.warning("%s refused: %s", request.url.path, error)
    return JSONResponse({"detail": str(error)}, status_code=error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    """The last net: the log gets the traceback (from the server), the client one sentence."""
    return JSONResponse(
        {"detail": f"Internal error ({type(error).__name__}); the log has the details"}, 500
    )

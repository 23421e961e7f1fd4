"""What the endpoints of jobs answer: which there are, one of them, start and end one."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import anyio.to_thread
import orjson
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import PrelabelError
from shared.jobs.job import Job
from shared.server.http_messages import BodyReader, Message, ProjectName, parse_body
from shared.server.training_triggers import TrainingTriggers

T = TypeVar("T")

ACCEPTED, CONFLICT = 202, 409
NO_TRAININGS = "This server's model trains by its own fit, without jobs"


class JobRequest(Message):
    """POST /jobs: train a project, or predict those of its tasks that lack a prediction."""

    kind: Literal["training", "prediction"] = Field(
        "training", description="What is to be done: training or prediction"
    )
    project: ProjectName = Field(description="The project's id, or its key: id.unixtime")
    controls: list[str] = Field([], description="Control tags to train; all that can be if empty")

    def start(self, triggers: TrainingTriggers) -> Job:
        """Start the job, or return the one that does the same."""
        if self.kind == "prediction":
            return triggers.background.start(str(self.project))
        return triggers.start(str(self.project), self.controls)


class JobEndpoints:
    """The handlers of the endpoints of jobs; `triggers` is None where nothing can be trained."""

    def __init__(self, triggers: Callable[[], TrainingTriggers | None], bodies: BodyReader) -> None:
        self._find_triggers = triggers
        self._bodies = bodies

    async def list_jobs(self, request: Request) -> Response:
        """Return the jobs, the newest first: their state, progress, and how they ended."""
        triggers = self._triggers()
        jobs = await _in_thread(triggers.store.list_jobs)
        return _json_response({"jobs": [job.to_json() for job in reversed(jobs)]})

    async def show_job(self, request: Request) -> Response:
        """Return a job; 404 names the latest ones."""
        triggers, job_id = self._triggers(), request.path_params["id"]
        job = await _in_thread(lambda: triggers.store.find(job_id))
        return _json_response(job.to_json())

    async def start_job(self, request: Request) -> Response:
        """Train or predict a project. One that waits already is answered with that job."""
        check_sender(request)
        triggers = self._triggers()
        sent = parse_body(await self._bodies.read(request), JobRequest)
        job = await _in_thread(lambda: sent.start(triggers))
        return _json_response(job.to_json(), ACCEPTED)

    async def cancel_job(self, request: Request) -> Response:
        """End a job: at once if it waits, else at its next report. A finished one stays so."""
        check_sender(request)
        triggers, job_id = self._triggers(), request.path_params["id"]
        store = triggers.store
        # Nothing is written for a job that there is not.
        job = await _in_thread(lambda: store.cancel(store.find(job_id).id))
        return _json_response(job.to_json(), ACCEPTED)

    def _triggers(self) -> TrainingTriggers:
        found = self._find_triggers()
        if found is None:
            raise HTTPException(404, NO_TRAININGS)
        return found


def check_sender(request: Request) -> None:
    """Raise 403 for a request that the page of another site has a browser send.

    A browser would send the password of this server along. Programs send neither header.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site is not None and site not in {"same-origin", "none"}
    if origin is not None and _place_of(origin) != request.headers.get("host"):
        is_foreign = True
    if is_foreign:
        raise HTTPException(403, "A page of another site cannot ask for this")


def _place_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # no address
        return None


async def _in_thread(work: Callable[[], T]) -> T:
    """Do what reads and writes files; what is missing for it is no fault of this server."""
    try:
        return await anyio.to_thread.run_sync(work)
    except PrelabelError as error:
        status = CONFLICT if error.status == PrelabelError.status else error.status
        raise HTTPException(status, str(error)) from None


def _json_response(content: Any, status: int = 200) -> Response:
    packed = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(packed, status, media_type="application/json")

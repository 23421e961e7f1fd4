"""The bodies that Label Studio 1.23 sends and reads: their schemas, how they are read and written.

Reading is limited in bytes and in time.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from shared.errors import ClientGoneError, RequestError
from shared.settings import Settings

if sys.version_info >= (3, 11):
    from asyncio import Timeout, timeout

    reschedule = Timeout.reschedule
else:  # the same under another name
    from async_timeout import Timeout, timeout

    reschedule = Timeout.update

logger = logging.getLogger(__name__)

# Added to BODY_TIMEOUT for each megabyte that has arrived: a slow line is not an idle one.
SECONDS_PER_MEGABYTE = 10.0
# For the body of a request that arrives while the server stops.
STOPPING_BODY_SECONDS = 1.0
# A longer one is no project's: an id and a time have 30 digits at most.
MAX_PROJECT_KEY_LENGTH = 100


def _refuse_truth(value: Any) -> Any:
    """Refuse true and false, which pydantic would read as 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("project", "it should be the id of a project, or its key")
    return value


ProjectName = Annotated[int | str, BeforeValidator(_refuse_truth)]


class Message(BaseModel):
    """The body of a request; keys that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class PredictParams(Message):
    """What Label Studio sends beside the tasks."""

    context: dict[str, Any] | None = Field(
        None, description="Interactive mode: the regions just drawn, under `result`"
    )


class ProjectMessage(Message):
    """A body that names its project."""

    project: ProjectName | None = Field(None, description='"id.unixtime"')

    @property
    def project_key(self) -> str:
        """The project as it is sent, `id.unixtime`; empty if there is none."""
        key = str(self.project or "")
        return key if len(key) <= MAX_PROJECT_KEY_LENGTH else ""

    @property
    def project_id(self) -> str:
        """The project's id; empty if there is none."""
        return str(self.project or "").split(".", 1)[0]


class PredictRequest(ProjectMessage):
    """POST /predict. A task that is no object costs only itself."""

    tasks: list[Any] = Field(description="The tasks, each with `id` and `data`")
    label_config: str = Field(description="The project's label config, as XML")
    params: PredictParams | None = None

    @property
    def context(self) -> dict[str, Any] | None:
        """The context of a request of the editor, None for any other."""
        return self.params.context or None if self.params else None

    @property
    def interactive(self) -> bool:
        """Whether a user waits for it: for the region just drawn, or for the one task opened."""
        return self.context is not None or len(self.tasks) == 1


class SetupRequest(ProjectMessage):
    """POST /setup."""

    label_config: str = Field(alias="schema", description="The project's label config, as XML")
    hostname: str | None = Field(None, description="Label Studio's own idea of its address")
    extra_params: Any = Field(
        None, description="What was entered for the connection; only a third-party class reads it"
    )


class WebhookRequest(Message):
    """POST /webhook. Each event has keys of its own; all of them are kept."""

    model_config = ConfigDict(extra="allow")

    action: str = Field(description="ANNOTATION_CREATED, START_TRAINING, …")
    project: dict[str, Any] | None = None


class PredictResponse(BaseModel):
    """As many results as tasks, in their order; `[]` for a task that has no prediction."""

    results: list[dict[str, Any] | list[Any]]


class SetupResponse(BaseModel):
    """What /setup answers; Label Studio reads the version only."""

    model_config = ConfigDict(protected_namespaces=())
    model_version: str


class Refusal(BaseModel):
    """Refused, with one sentence that says why."""

    detail: str


class BodyTooLargeError(RequestError):
    """The body is over MAX_BODY_MB."""

    reason = "body_too_large"
    status = 413


class BodyTimeoutError(RequestError):
    """The body did not arrive in time."""

    reason = "body_timeout"
    status = 408


class StoppingError(RequestError):
    """The server was told to stop."""

    reason = "stopping"
    status = 503

    def __init__(self) -> None:
        super().__init__("The server is stopping; ask again")


class BodyReader:
    """Reads bodies of up to MAX_BODY_MB, and for no longer than BODY_TIMEOUT allows."""

    def __init__(self, settings: Settings) -> None:
        self._max_mb = settings.max_body_mb
        self._seconds = settings.body_timeout
        self._timeouts: set[Timeout] = set()
        self._stopping = False

    async def read(self, request: Request) -> bytes:
        """Return the whole body.

        Raises BodyTooLargeError as soon as it is known to be over the limit, BodyTimeoutError if
        it arrives too slowly, ClientGoneError if its sender is gone, StoppingError if the server
        stops meanwhile.
        """
        headers = request.scope["headers"]
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        self._check_size(int(declared) if declared.isdigit() else 0)
        body = bytearray()
        seconds = STOPPING_BODY_SECONDS if self._stopping else self._seconds
        until = asyncio.get_running_loop().time() + seconds
        try:
            async with timeout(seconds) as limit:
                self._timeouts.add(limit)
                try:
                    while await self._read_chunk(request, body):
                        if not self._stopping:
                            reschedule(limit, until + SECONDS_PER_MEGABYTE * len(body) / 1e6)
                finally:
                    self._timeouts.discard(limit)
        except asyncio.TimeoutError:
            if self._stopping:
                raise StoppingError from None
            raise BodyTimeoutError(
                f"The body did not arrive in BODY_TIMEOUT={self._seconds:g} s:"
                f" {len(body)} bytes did"
            ) from None
        return bytes(body)

    def stop(self) -> None:
        """Stop waiting for the bodies that are being read, and hardly wait for later ones."""
        self._stopping = True
        now = asyncio.get_running_loop().time()
        for limit in self._timeouts:
            with suppress(RuntimeError):  # it has just run out by itself
                reschedule(limit, now)

    async def _read_chunk(self, request: Request, body: bytearray) -> bool:
        """Add what has arrived; return whether there is more."""
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("The client closed the connection before its body was here")
        body += message.get("body", b"")
        self._check_size(len(body))
        return bool(message.get("more_body", False))

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_mb * 1e6:
            raise BodyTooLargeError(f"The body is over MAX_BODY_MB={self._max_mb:g}")


M = TypeVar("M", bound=Message)


def parse_body(body: bytes, message: type[M]) -> M:
    """Parse a body; RequestError names the key, what was found and what was expected."""
    try:
        raw = _load_json(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not valid JSON: {error}") from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body should be a JSON object, found {type(raw).__name__}")
    try:
        return message.model_validate(raw)
    except ValidationError as error:
        details = "; ".join(_format_validation_error(line) for line in error.errors())
        raise RequestError(details) from None


def pack_results(results: Sequence[Any], empty: Any) -> tuple[bytes, int]:
    """Return the body that /predict answers, and how many results are no JSON.

    Those are replaced by `empty`: the other tasks keep theirs.
    """
    try:
        return orjson.dumps({"results": results}, option=orjson.OPT_SERIALIZE_NUMPY), 0
    except TypeError:
        packable = [result if _is_json(result) else empty for result in results]
    lost = sum(1 for old, new in zip(results, packable, strict=True) if old is not new)
    return orjson.dumps({"results": packable}, option=orjson.OPT_SERIALIZE_NUMPY), lost


def _is_json(result: Any) -> bool:
    try:
        orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        logger.error("A backend's prediction cannot be written as JSON: %s", error)
        return False
    return True


def _load_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise
    # A text that was cut within an emoji: Python's json, and so Label Studio, writes half a
    # character. It becomes "?", which is as long, so it costs neither the request nor offsets.
    whole = json.dumps(json.loads(body), ensure_ascii=False)
    return orjson.loads(whole.encode("utf-8", "replace"))


def _format_validation_error(line: Any) -> str:
    where = ".".join(str(part) for part in line["loc"])
    if line["type"] == "missing":
        return f'"{where}" is missing in the body'
    return f'"{where}": {line["msg"].lower()}, found {type(line["input"]).__name__}'

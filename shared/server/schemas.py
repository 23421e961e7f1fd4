"""What Label Studio 1.23 sends and reads, as far as it matters here."""

import json
import logging
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import RequestError

logger = logging.getLogger(__name__)


class Message(BaseModel):
    """A body of a request; keys that are not known are left alone."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class PredictParams(Message):
    """What goes with a request for predictions."""

    context: dict[str, Any] | None = Field(
        None, description="Interactive mode: the regions just drawn, under `result`"
    )


class PredictRequest(Message):
    """POST /predict. A task that is no object costs only itself."""

    tasks: list[Any] = Field(description="The tasks, each with `id` and `data`")
    label_config: str = Field(description="The project's label config, as XML")
    project: str | int | None = Field(None, description='"id.unixtime"')
    params: PredictParams | None = None

    @property
    def context(self) -> dict[str, Any] | None:
        """The context of an interactive request, None for any other."""
        return self.params.context or None if self.params else None


class SetupRequest(Message):
    """POST /setup."""

    label_config: str = Field(alias="schema", description="The project's label config, as XML")
    project: str | int | None = None
    hostname: str | None = Field(None, description="Label Studio's own idea of its address")


class WebhookRequest(Message):
    """POST /webhook. What comes with an event differs; all of it is kept."""

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


M = TypeVar("M", bound=Message)


def parse(body: bytes, message: type[M]) -> M:
    """A request's body; RequestError names the key, what was found and what was expected."""
    try:
        raw = _loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not valid JSON: {error}") from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body should be a JSON object, found {type(raw).__name__}")
    try:
        return message.model_validate(raw)
    except ValidationError as error:
        raise RequestError("; ".join(_sentence(line) for line in error.errors())) from None


def pack(results: Sequence[Any], empty: Any) -> tuple[bytes, int]:
    """The answer of /predict, and how many results were lost: what is no JSON becomes `empty`."""
    try:
        return orjson.dumps({"results": results}, option=orjson.OPT_SERIALIZE_NUMPY), 0
    except TypeError:
        kept = [result if _is_json(result) else empty for result in results]
    lost = sum(1 for old, new in zip(results, kept, strict=True) if old is not new)
    return orjson.dumps({"results": kept}, option=orjson.OPT_SERIALIZE_NUMPY), lost


def _is_json(result: Any) -> bool:
    try:
        orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        logger.error("A backend made a prediction that is no JSON: %s", error)
        return False
    return True


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            raise
    # A text cut within an emoji: Python's json, and so Label Studio, writes half a character.
    # It becomes "?", as long as itself, so that it costs neither the request nor the offsets.
    whole = json.dumps(json.loads(body), ensure_ascii=False)
    return orjson.loads(whole.encode("utf-8", "replace"))


def _sentence(line: Any) -> str:
    where = ".".join(str(part) for part in line["loc"])
    if line["type"] == "missing":
        return f'"{where}" is missing in the body'
    return f'"{where}": {line["msg"].lower()}, found {type(line["input"]).__name__}'

"""What Label Studio 1.23 sends and reads, as far as it matters here."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import RequestError


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
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"The body is not valid JSON: {error}") from None
    if not isinstance(raw, dict):
        raise RequestError(f"The body should be a JSON object, found {type(raw).__name__}")
    try:
        return message.model_validate(raw)
    except ValidationError as error:
        raise RequestError("; ".join(_sentence(line) for line in error.errors())) from None


def _sentence(line: Any) -> str:
    where = ".".join(str(part) for part in line["loc"])
    if line["type"] == "missing":
        return f'"{where}" is missing in the body'
    return f'"{where}": {line["msg"].lower()}, found {type(line["input"]).__name__}'

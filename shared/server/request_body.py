"""Reading a request's body under a cap and in time, and describing it in OpenAPI."""

import asyncio
import sys
from typing import Any

from starlette.types import Receive, Scope

from shared.errors import ClientGoneError, RequestError
from shared.server.schemas import Message
from shared.settings import Settings

# Seconds more for each megabyte that has arrived: slow lines are not the same as idle ones.
PER_MB = 10.0

# Seconds for the body of a request that comes while the server stops.
STOPPING_SECONDS = 1.0


class BodyTooLargeError(RequestError):
    """The body is over MAX_BODY_MB."""

    reason = "body_too_large"
    status = 413


class BodyTimeoutError(RequestError):
    """The body did not arrive."""

    reason = "body_timeout"
    status = 408


class StoppingError(RequestError):
    """The server was told to stop."""

    reason = "stopping"
    status = 503

    def __init__(self) -> None:
        super().__init__("The server is stopping; ask again")


class BodyReader:
    """Reads bodies up to MAX_BODY_MB, and not for longer than BODY_TIMEOUT allows."""

    def __init__(self, settings: Settings) -> None:
        self._max_mb = settings.max_body_mb
        self._seconds = settings.body_timeout
        self._reading: set[Alarm] = set()
        self._stopping = False

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        BodyTooLargeError as soon as it is known to be over the cap, BodyTimeoutError when it
        comes too slowly, ClientGoneError when its sender is gone, StoppingError when the server
        stops meanwhile.
        """
        self._check(int(_declared(scope)))
        body = bytearray()
        with Alarm(STOPPING_SECONDS if self._stopping else self._seconds) as alarm:
            self._reading.add(alarm)
            try:
                while await self._more(receive, body):
                    if not self._stopping:
                        alarm.later(PER_MB * len(body) / 1e6)
                return bytes(body)
            finally:
                self._reading.discard(alarm)
        if self._stopping:
            raise StoppingError
        raise BodyTimeoutError(
            f"The body did not arrive in BODY_TIMEOUT={self._seconds:g} s: {len(body)} bytes did"
        )

    def stop(self) -> None:
        """Wait for no body any longer: not for those that come now, and hardly for later ones."""
        self._stopping = True
        for alarm in list(self._reading):
            alarm.ring()

    async def _more(self, receive: Receive, body: bytearray) -> bool:
        """Add what has come; whether there is more."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("The client closed the connection before its body was here")
        body += message.get("body", b"")
        self._check(len(body))
        return bool(message.get("more_body", False))

    def _check(self, size: int) -> None:
        if size > self._max_mb * 1e6:
            raise BodyTooLargeError(f"The body is over MAX_BODY_MB={self._max_mb:g}")


def _declared(scope: Scope) -> bytes:
    """The length of the body that the request says."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return found if found.isdigit() else b"0"


class Alarm:
    """Ends what stands in its `with` block after some seconds, and goes on behind the block.

    What asyncio.timeout and anyio do too, at a tenth of the time: every request needs one.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds
        self._rang = False
        task = asyncio.current_task()
        assert task is not None
        self._task = task

    def __enter__(self) -> "Alarm":
        self._handle = self._loop.call_at(self._until, self.ring)
        return self

    def later(self, seconds: float) -> None:
        """Ring so many seconds after the time that was first set."""
        self._handle.cancel()
        self._handle = self._loop.call_at(self._until + seconds, self.ring)

    def __exit__(self, kind: Any, error: Any, frames: Any) -> bool:
        self._handle.cancel()
        if not self._rang or kind is not asyncio.CancelledError:
            return False
        if sys.version_info >= (3, 11):
            self._task.uncancel()
        return True

    def ring(self) -> None:
        """End it now."""
        self._rang = True
        self._task.cancel()


def described(message: type[Message]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads such a body by itself."""
    schema = message.model_json_schema()
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}

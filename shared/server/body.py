"""Reading a request's body under a cap, and describing it in OpenAPI."""

from typing import Any

from fastapi import Request

from shared.errors import RequestError
from shared.server.protocol import Message


class BodyTooLargeError(RequestError):
    """The body is over MAX_BODY_MB."""

    reason = "body_too_large"
    status = 413


async def read_body(request: Request, max_mb: float) -> bytes:
    """The whole body; BodyTooLargeError as soon as it is known to be over the cap."""
    limit = int(max_mb * 1_000_000)
    too_large = BodyTooLargeError(f"The body is over MAX_BODY_MB={max_mb:g}")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > limit:
            raise too_large
    return bytes(body)


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

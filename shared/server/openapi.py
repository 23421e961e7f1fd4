"""One endpoint of the server, the OpenAPI document of all of them, and the pages that show it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared import __version__
from shared.server.http_messages import Refusal

BACKEND_PARAMETER = {
    "name": "backend",
    "in": "path",
    "required": True,
    "description": "The name of a backend, which alone answers",
    "schema": {"type": "string"},
}
ID_PARAMETER = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id of a job",
    "schema": {"type": "string"},
}
SWAGGER_PAGE = """<!DOCTYPE html>
<title>prelabel: API</title>
<link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true})</script>
"""
REDOC_PAGE = """<!DOCTYPE html>
<title>prelabel: API</title>
<redoc spec-url="openapi.json"></redoc>
<script src="https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js"></script>
"""


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: its handler's docstring is its description in OpenAPI.

    With `per_backend` it is served under `/{backend}` too.
    """

    method: str
    path: str
    handler: Callable[[Any, Request], Awaitable[Response]]
    request: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    status: int = 200
    media_type: str = "application/json"
    per_backend: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The path, and the one below the name of a backend."""
        return (self.path, f"/{{backend}}{self.path}") if self.per_backend else (self.path,)


def documentation_routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Return the routes of the OpenAPI document and of the two pages that show it."""
    responses = {
        "/openapi.json": JSONResponse(describe_endpoints(endpoints)),
        "/docs": HTMLResponse(SWAGGER_PAGE),
        "/redoc": HTMLResponse(REDOC_PAGE),
    }
    return [Route(path, response, methods=["GET"]) for path, response in responses.items()]


def describe_endpoints(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    bodies = [body for e in endpoints for body in (e.request, e.response) if body] + [Refusal]
    references, definitions = models_json_schema(
        [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[Any, Any] = {body: reference for (body, _), reference in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        for path in endpoint.paths:
            operation = _describe_operation(endpoint, path, schemas)
            paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "prelabel", "version": __version__},
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }


def _describe_operation(
    endpoint: Endpoint, path: str, schemas: Mapping[type[BaseModel], Any]
) -> dict[str, Any]:
    name = endpoint.handler.__name__
    answer = schemas[endpoint.response] if endpoint.response else {}
    operation: dict[str, Any] = {
        "summary": name.replace("_", " ").capitalize(),
        "description": inspect.getdoc(endpoint.handler),
        "operationId": name if path == endpoint.path else f"backend_{name}",
        "responses": {
            str(endpoint.status): {
                "description": "Successful response",
                "content": {endpoint.media_type: {"schema": answer}},
            },
            "4XX": {
                "description": Refusal.__doc__,
                "content": {"application/json": {"schema": schemas[Refusal]}},
            },
        },
    }
    parameters = [one for one in (BACKEND_PARAMETER, ID_PARAMETER) if f"{{{one['name']}}}" in path]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.request:
        content = {"application/json": {"schema": schemas[endpoint.request]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation

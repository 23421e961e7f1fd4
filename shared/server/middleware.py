"""What every request passes before its endpoint: its id, its timing, its password."""

import base64
import binascii
import hmac
import time

from prometheus_client import Counter, Histogram
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.pipeline.tracing import Tracing
from shared.server.logs import current_request_id
from shared.server.metrics import ServerMetrics
from shared.server.request_ids import RequestIds
from shared.settings import Settings

# Where the pages for a browser are.
PAGES_PATH = "/pages/"
# Where the jobs are, each below its id, which may be any word.
JOBS_PATH = "/jobs/"
# Label Studio's editor, the same in each installation: its frame has no origin, so that browsers
# send no password for what it loads. It holds no data of anybody.
PUBLIC_PATH = "/pages/editor/"
# Probes ask for these again and again.
UNTRACED_ENDPOINTS = frozenset(("health", "ready", "metrics"))
SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105


class RequestIdMiddleware:
    """Counts and times each request, and names it in the log and in the response."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics
        # Finding a metric by its labels takes longer than counting, and every request does both.
        self._by_path: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, start, status = self._ids.of(scope), time.perf_counter(), 500
        current_request_id.set(request_id.decode())

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - start
            self._count(_path_template(scope), status, seconds)

    def _count(self, path: str, status: int, seconds: float) -> None:
        metrics = self._by_path.get((path, status))
        if metrics is None:
            counter = self._metrics.requests.labels(path, str(status))
            metrics = counter, self._metrics.request_seconds.labels(path)
            self._by_path[path, status] = metrics
        metrics[0].inc()
        metrics[1].observe(seconds)


def _path_template(scope: Scope) -> str:
    """Return the path, with {backend} for a backend's name, or "unknown" if there is no endpoint.

    It becomes a label of metrics, of which clients must not be able to create any number.
    """
    if "endpoint" not in scope:
        return "unknown"
    path: str = scope["path"]
    if path.startswith(PAGES_PATH):
        return PAGES_PATH
    if path.startswith(JOBS_PATH):
        _, slash, action = path.removeprefix(JOBS_PATH).partition("/")
        return f"{JOBS_PATH}{{id}}{slash}{action}"
    return "/{backend}" + path[path.rindex("/") :] if "backend" in scope["path_params"] else path


class TracingMiddleware:
    """Makes a span of each request, but for those of probes."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or _last_segment(scope) in UNTRACED_ENDPOINTS:
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with self._tracing.request_span(scope["method"], headers) as span:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            span.set_attribute("http.request.method", scope["method"])
            span.set_attribute("prelabel.request_id", current_request_id.get())
            try:
                await self._app(scope, receive, send_traced)
            finally:
                route = _path_template(scope)  # known once the request has been routed
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)


class AuthMiddleware:
    """Checks BASIC_AUTH_USER and BASIC_AUTH_PASS, and WEBHOOK_SECRET, in constant time.

    Label Studio sends the password with everything but the webhooks of annotations, to which a
    user can add a header: where WEBHOOK_SECRET is set, /webhook accepts either.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        user, password = settings.basic_auth_user, _reveal(settings.basic_auth_pass)
        self._credentials = f"{user or ''}:{password}".encode() if user or password else None
        self._secret = _reveal(settings.webhook_secret).encode() or None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or self._is_allowed(scope):
            await self._app(scope, receive, send)
            return
        detail = "Wrong or missing user name and password (BASIC_AUTH_USER/PASS)"
        if _last_segment(scope) == "webhook" and self._secret is not None:
            detail = f"Wrong or missing header {SECRET_HEADER} (WEBHOOK_SECRET)"
        headers = {"WWW-Authenticate": 'Basic realm="prelabel"'}
        response = JSONResponse({"detail": detail}, status_code=401, headers=headers)
        await response(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        # No endpoint but these two has such a last segment, with or without a backend before it.
        endpoint = "" if scope["path"].startswith(JOBS_PATH) else _last_segment(scope)
        if endpoint == "health" or scope["path"].startswith(PUBLIC_PATH):
            return True
        if endpoint == "webhook" and self._secret is not None:
            return self._has_secret(scope, self._secret) or self._has_password(scope)
        return self._credentials is None or self._has_password(scope)

    def _has_secret(self, scope: Scope, secret: bytes) -> bool:
        given = _find_header(scope, SECRET_HEADER.lower().encode()) or b""
        return hmac.compare_digest(given, secret)

    def _has_password(self, scope: Scope) -> bool:
        header = _find_header(scope, b"authorization") or b""
        if self._credentials is None or header[:6].lower() != b"basic ":
            return False
        try:
            given = base64.b64decode(header[6:].strip(), validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(given, self._credentials)


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _last_segment(scope: Scope) -> str:
    path: str = scope["path"]
    return path.rsplit("/", 1)[-1]


def _find_header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that name."""
    return next((value for key, value in scope["headers"] if key == name), None)

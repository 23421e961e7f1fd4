"""Authentication: a password for all endpoints but the health check, a secret for webhooks."""

import base64
import binascii
import hmac

from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.settings import Settings

SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105


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
        endpoint = _last_segment(scope)
        if endpoint == "health":
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

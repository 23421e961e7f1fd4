"""Who may ask: a password on every route but the health check, and a secret for the webhook."""

import base64
import binascii
import hmac

from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.settings import Settings

SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105


class AuthMiddleware:
    """Asks for BASIC_AUTH_USER and BASIC_AUTH_PASS, and WEBHOOK_SECRET, in constant time.

    Label Studio sends the password with all but the webhooks of annotations, to which its user
    may add a header: where WEBHOOK_SECRET is set, /webhook takes the one or the other.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        user, password = settings.basic_auth_user, settings.basic_auth_pass
        self._expected = f"{user or ''}:{_value(password)}".encode() if user or password else None
        self._secret = _value(settings.webhook_secret).encode() or None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] != "http" or self._allowed(scope):
            await self._app(scope, receive, send)
            return
        detail = "Wrong or missing user name and password (BASIC_AUTH_USER/PASS)"
        if _last(scope) == "webhook" and self._secret is not None:
            detail = f"Wrong or missing header {SECRET_HEADER} (WEBHOOK_SECRET)"
        headers = {"WWW-Authenticate": 'Basic realm="prelabel"'}
        answer = JSONResponse({"detail": detail}, status_code=401, headers=headers)
        await answer(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        last = _last(scope)
        if last == "health":
            return True
        if last == "webhook" and self._secret is not None:
            return self._has_secret(scope) or self._has_password(scope)
        return self._expected is None or self._has_password(scope)

    def _has_secret(self, scope: Scope) -> bool:
        given = _header(scope, SECRET_HEADER.lower().encode()) or b""
        return hmac.compare_digest(given, self._secret or b"") and self._secret is not None

    def _has_password(self, scope: Scope) -> bool:
        header = _header(scope, b"authorization") or b""
        if self._expected is None or header[:6].lower() != b"basic ":
            return False
        try:
            given = base64.b64decode(header[6:].strip(), validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(given, self._expected)


def _value(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _last(scope: Scope) -> str:
    path: str = scope["path"]
    return path.rsplit("/", 1)[-1]


def _header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name."""
    return next((value for key, value in scope["headers"] if key == name), None)

"""Basic authentication, on every route but the health check."""

import base64
import binascii
import hmac

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.settings import Settings


class BasicAuth:
    """Asks for BASIC_AUTH_USER and BASIC_AUTH_PASS, compared in constant time."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        user, password = settings.basic_auth_user, settings.basic_auth_pass
        self._expected = (
            f"{user or ''}:{password.get_secret_value() if password else ''}".encode()
            if user or password
            else None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] != "http" or self._expected is None or self._allowed(scope):
            await self._app(scope, receive, send)
            return
        answer = JSONResponse(
            {"detail": "Wrong or missing user name and password (BASIC_AUTH_USER/PASS)"},
            status_code=401,
            headers={"WWW-Authenticate": 'Basic realm="prelabel"'},
        )
        await answer(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        if scope["path"].rsplit("/", 1)[-1] == "health":
            return True
        for name, value in scope["headers"]:
            if name == b"authorization" and value[:6].lower() == b"basic ":
                try:
                    given = base64.b64decode(value[6:].strip(), validate=True)
                except binascii.Error:
                    return False
                return hmac.compare_digest(given, self._expected or b"")
        return False

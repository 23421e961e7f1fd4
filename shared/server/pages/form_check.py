"""Whether a form was sent from a page of this server, and not by another site's.

Two checks, each enough in a browser of today. The browser says where a request comes from
(Sec-Fetch-Site, or Origin, which must name this host); and the form holds the value of a cookie,
which other sites can neither read nor have sent (`SameSite=Strict`). Both hold with several
workers, since nothing is kept on the server.
"""

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

COOKIE = "prelabel_form"
FIELD = "token"
# Characters of a token; a longer cookie is not ours.
MAX_TOKEN_LENGTH = 64


def token_of(request: Request) -> str:
    """Return the token that the browser has, or a new one for it."""
    known = request.cookies.get(COOKIE, "")
    return known if 0 < len(known) <= MAX_TOKEN_LENGTH else secrets.token_urlsafe(24)


def keep_token(response: Response, token: str) -> None:
    """Have the browser keep the token; no script can read it."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")


def check_origin(request: Request) -> None:
    """Raise 403 for a request that another site's page has sent, or no browser at all."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        allowed = bool(origin) and urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise HTTPException(403, "This form was not sent from a page of this server; open it again")


def check_token(request: Request, sent: str) -> None:
    """Raise 403 if the form does not hold the browser's token."""
    known = request.cookies.get(COOKIE, "")
    if not known or not hmac.compare_digest(known.encode(), sent.encode()):
        raise HTTPException(
            403, "The form is too old, or this browser keeps no cookies; open the page again"
        )

"""The ids by which requests are named in the log and in responses."""

import itertools
import re
import secrets

from starlette.types import Scope

# Ids of clients that may appear in a log and in a header as they are.
SAFE_ID = re.compile(rb"[\w.:-]{1,64}")


class RequestIds:
    """Gives each request its id: the client's X-Request-ID, or else one of our own."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def of(self, scope: Scope) -> bytes:
        """Return the id of a request; a further one of our own each time."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and SAFE_ID.fullmatch(value):
                return bytes(value)
        return b"%s-%x" % (self._prefix.encode(), next(self._numbers))

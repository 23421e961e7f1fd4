"""The process that serves: uvicorn under gunicorn, which finishes what it has begun."""

import asyncio
import logging
import socket
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from shared.server.http_limits import Limited

# Seconds that running requests get when the server is told to stop.
GRACE = 30
# Of these, what is left for answering what is done by then.
MARGIN = 5
# Seconds in which those who have just connected may still ask.
HEARD = 0.5


class Log(Logger):
    """gunicorn's and uvicorn's events go where all others go: see `shared.server.logs`."""

    _explained = False

    def setup(self, cfg: Any) -> None:
        """Without handlers of its own."""
        self.cfg = cfg
        self._access_log_enabled = False

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing more once a worker that could not load has said why, in a sentence."""
        self._explained |= args[1:] == (Arbiter.APP_LOAD_ERROR,)  # its process and how it ended
        if not self._explained:
            super().error(msg, *args, **kwargs)


class Draining(Server):
    """Answers what is running when it is told to stop, and starts nothing new."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """No connections any more; requests answer what is done before they would be killed.

        A connection that is closed before its request is read would be reset.
        """
        for server in self.servers:
            server.close()
        self.config.app.state.endpoints.drain(GRACE - MARGIN)  # type: ignore[union-attr]
        await asyncio.sleep(HEARD)
        await super().shutdown(sockets)


class Worker(UvicornWorker):
    """Our settings of uvicorn."""

    CONFIG_KWARGS = {  # noqa: RUF012  (uvicorn-worker's own)
        "loop": "auto",
        "http": Limited,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logging.getLogger("uvicorn.error").propagate = True

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = Draining(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)

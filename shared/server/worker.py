"""The process that serves: uvicorn under gunicorn, which finishes what it has started."""

import asyncio
import logging
import os
import signal
import socket
import time
from functools import partial
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.glogging import Logger
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from shared.jobs.parent_process import end_with
from shared.server.http_limits import LimitedHttpProtocol

# How long running requests may go on when the server is told to stop.
GRACE_SECONDS = 30
# The end of that time, left for answering what is done by then.
RESPONSE_SECONDS = 5
# How long clients that have just connected may still send a request.
LAST_REQUESTS_SECONDS = 0.5
# After so long without a sign of life from its event loop, the master ends a worker.
TIMEOUT_SECONDS = 120
# The same at the start: a slow disk takes minutes for libraries, and some hold the GIL meanwhile.
START_SECONDS = 3600


class GunicornLogger(Logger):
    """Sends gunicorn's and uvicorn's events where all others go: see `shared.server.logs`."""

    _worker_failed = False

    def setup(self, cfg: Any) -> None:
        """Add no handlers."""
        self.cfg = cfg
        self._access_log_enabled = False

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log nothing more once a worker that could not load has said why, in a sentence."""
        # gunicorn passes the worker's process and exit status as arguments of its message.
        self._worker_failed |= args[1:] == (Arbiter.APP_LOAD_ERROR,)
        if not self._worker_failed:
            super().error(msg, *args, **kwargs)


class DrainingServer(Server):
    """Finishes what is running when it is told to stop, and starts nothing new."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections; requests answer what is done before they would be killed.

        Connections stay open for a moment: one that is closed before its request has been read
        would be reset, and its client would get no answer.
        """
        for server in self.servers:
            server.close()
        app: Any = self.config.app
        if app.failure is not None:
            await self.lifespan.shutdown()
            return
        app.drain(GRACE_SECONDS - RESPONSE_SECONDS)
        await asyncio.sleep(LAST_REQUESTS_SECONDS)
        await super().shutdown(sockets)


class PrelabelWorker(UvicornWorker):
    """Runs uvicorn with our settings."""

    CONFIG_KWARGS = {  # noqa: RUF012  (uvicorn-worker's own)
        "loop": "auto",
        "http": LimitedHttpProtocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logging.getLogger("uvicorn.error").propagate = True

    def init_process(self) -> None:
        """Serve until told to stop, or until the master is killed, which could tell nobody."""
        if not end_with(self.ppid, signal.SIGTERM):
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)
        self.notify()
        super().init_process()

    def notify(self) -> None:
        """Tell the master that this worker lives; at the start, in advance."""
        super().notify()
        app = getattr(self, "wsgi", None)
        if app is None or app.is_starting:
            until = time.monotonic() + START_SECONDS
            os.utime(self.tmp.fileno(), (until, until))  # which is how gunicorn notes it, too

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = DrainingServer(config=self.config)
        self.wsgi.on_failure = end = partial(setattr, server, "should_exit", True)
        # The master sends it where it gets SIGINT alone. UvicornWorker's own handler ends nothing.
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, end)
        await server.serve(sockets=self.sockets)
        failure = self.wsgi.failure
        if isinstance(failure, AppImportError):
            raise failure  # as if it had been raised before this worker served
        if failure is not None:
            self.log.error("Exception in worker process", exc_info=failure)
        if failure is not None or not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)

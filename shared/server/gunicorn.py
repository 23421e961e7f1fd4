"""gunicorn with our settings: one process a worker, models loaded after the fork."""

import os
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from shared.server.neighbours import Neighbours
from shared.server.worker import GRACE, Log, Worker
from shared.settings import Settings


class Server(BaseApplication):
    """Runs the application that `make_app` makes in each worker."""

    def __init__(self, make_app: Callable[[Neighbours | None], Any], settings: Settings) -> None:
        self._make_app = make_app
        self._settings = settings
        self._neighbours = Neighbours.make() if settings.workers > 1 else None
        super().__init__()

    def load_config(self) -> None:
        """Our settings in gunicorn's words."""
        settings = self._settings
        for key, value in {
            "bind": f"{settings.host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": Worker,
            "logger_class": Log,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "loglevel": settings.log_level.lower(),
            "preload_app": False,
            "proc_name": "prelabel",
            "control_socket_disable": True,
            "child_exit": self._left,
        }.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """In the worker, after the fork."""
        return self._make_app(self._neighbours)

    def run(self) -> None:
        """Serve until told to stop."""
        master = os.getpid()
        try:
            super().run()
        finally:  # workers come out here too
            if self._neighbours is not None and os.getpid() == master:
                self._neighbours.remove()

    def _left(self, arbiter: Any, worker: Any) -> None:
        """A worker is no more: its figures go with it."""
        if self._neighbours is not None:
            self._neighbours.forget(worker.pid)

"""gunicorn with our settings: one process a worker, models loaded after the fork."""

import logging
import os
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError

from shared.errors import PrelabelError
from shared.server.worker import GRACE, Log, Worker
from shared.server.worker_metrics import WorkerMetrics
from shared.settings import Settings


class Server(BaseApplication):
    """Runs the application that `make_app` makes in each worker.

    `loaded` is called once, in the first worker that has it.
    """

    def __init__(
        self,
        make_app: Callable[[WorkerMetrics | None], Any],
        settings: Settings,
        loaded: Callable[[], None],
    ) -> None:
        self._make_app = make_app
        self._loaded = loaded
        self._settings = settings
        self._neighbours = WorkerMetrics.make() if settings.workers > 1 else None
        super().__init__()

    def load_config(self) -> None:
        """Our settings in gunicorn's words."""
        settings = self._settings
        for key, value in {
            "bind": settings.address,
            "workers": settings.workers,
            "worker_class": Worker,
            "logger_class": Log,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "loglevel": settings.log_level.lower(),
            "preload_app": False,
            "proc_name": "prelabel",
            "control_socket_disable": True,
            "post_worker_init": self._started,
            "child_exit": self._left,
        }.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """In the worker, after the fork; an error of ours ends the server with its sentence."""
        try:
            return self._make_app(self._neighbours)
        except PrelabelError as error:
            logging.getLogger("gunicorn.error").disabled = True  # the sentence is the last word
            raise AppImportError(f"prelabel: {error}") from error

    def run(self) -> None:
        """Serve until told to stop."""
        master = os.getpid()
        try:
            super().run()
        except SystemExit as ended:
            if ended.code == Arbiter.APP_LOAD_ERROR and os.getpid() == master:
                raise SystemExit(2) from None  # as all that is said in a sentence
            raise
        finally:  # workers come out here too
            if self._neighbours is not None and os.getpid() == master:
                self._neighbours.remove()

    def _started(self, worker: Any) -> None:
        if worker.age == 1:
            self._loaded()

    def _left(self, arbiter: Any, worker: Any) -> None:
        """A worker is no more: its figures go with it."""
        if self._neighbours is not None:
            self._neighbours.remove_worker(worker.pid)

"""gunicorn with our settings: one process per worker, models loaded after the fork."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError

from shared.errors import PrelabelError
from shared.server.worker import GRACE_SECONDS, TIMEOUT_SECONDS, GunicornLogger, PrelabelWorker
from shared.server.worker_app import WorkerApp
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.server.worker_metrics import WorkerMetrics


class GunicornServer(BaseApplication):
    """Runs the application that `make_app` returns, in each worker.

    `on_start` is called once, in the first worker that has it. With `serve_first`, a worker
    answers health checks while it makes the application, else it makes it before it serves.
    """

    def __init__(
        self,
        make_app: "Callable[[WorkerMetrics | None], Any]",
        settings: Settings,
        on_start: Callable[[], None],
        serve_first: bool = False,
    ) -> None:
        self._make_app = make_app
        self._on_start = on_start
        self._serve_first = serve_first
        self._settings = settings
        self._worker_metrics = _metrics_of_workers() if settings.workers > 1 else None
        super().__init__()

    def load_config(self) -> None:
        """Translate our settings into gunicorn's."""
        settings = self._settings
        for key, value in {
            "bind": settings.listen_address,
            "workers": settings.workers,
            "worker_class": PrelabelWorker,
            "logger_class": GunicornLogger,
            "timeout": TIMEOUT_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "loglevel": settings.log_level.lower(),
            "preload_app": False,
            "proc_name": "prelabel",
            "control_socket_disable": True,
            "post_worker_init": self._after_worker_start,
            "child_exit": self._after_worker_exit,
        }.items():
            if key in self.cfg.settings:  # older gunicorns lack some
                self.cfg.set(key, value)

    def load(self) -> WorkerApp:
        """Return the application in a worker."""
        app = WorkerApp(self._make)
        if not self._serve_first:
            app.make_now()
        return app

    def _make(self) -> Any:
        """Make the application; an error of ours ends the server with its sentence."""
        try:
            return self._make_app(self._worker_metrics)
        except PrelabelError as error:
            # gunicorn would go on to log the end of the worker and its own.
            logging.getLogger("gunicorn.error").disabled = True
            raise AppImportError(f"prelabel: {error}") from error

    def run(self) -> None:
        """Serve until told to stop."""
        master = os.getpid()
        try:
            super().run()
        except SystemExit as error:
            if error.code == Arbiter.APP_LOAD_ERROR and os.getpid() == master:
                raise SystemExit(2) from None  # as for all errors that are told in a sentence
            raise
        finally:  # workers, which are forks, pass here too
            if self._worker_metrics is not None and os.getpid() == master:
                self._worker_metrics.remove()

    def _after_worker_start(self, worker: Any) -> None:
        if worker.age == 1:
            worker.wsgi.when_serving(self._on_start)

    def _after_worker_exit(self, arbiter: Any, worker: Any) -> None:
        if self._worker_metrics is not None:
            self._worker_metrics.remove_worker(worker.pid)


def _metrics_of_workers() -> "WorkerMetrics":
    from shared.server.worker_metrics import WorkerMetrics

    return WorkerMetrics.make()

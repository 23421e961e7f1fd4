"""gunicorn with our settings: one process a worker, models loaded after the fork."""

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from shared.settings import Settings

GRACE = 30
"""Seconds that running requests get when the server is told to stop."""


class Server(BaseApplication):
    """Runs the application that `make_app` makes in each worker."""

    def __init__(self, make_app: Callable[[], Any], settings: Settings) -> None:
        self._make_app = make_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Our settings in gunicorn's words."""
        settings = self._settings
        for key, value in {
            "bind": f"{settings.host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": "uvicorn_worker.UvicornWorker",
            "timeout": 120,
            "graceful_timeout": GRACE,
            "loglevel": settings.log_level.lower(),
            "preload_app": False,
            "proc_name": "prelabel",
            "control_socket_disable": True,
        }.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """In the worker, after the fork."""
        return self._make_app()

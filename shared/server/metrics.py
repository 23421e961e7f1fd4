"""Counters in Prometheus format."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import runtime

BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100)


class Metrics:
    """The figures of one server process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "prelabel_requests", "Requests answered", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "prelabel_request_seconds",
            "Time to answer",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.tasks = Counter(
            "prelabel_tasks", "Tasks by what came of them", ["outcome"], registry=self.registry
        )
        self.registry.register(_Process())

    def text(self) -> bytes:
        """All of them, as Prometheus scrapes them."""
        return generate_latest(self.registry)


class Measured:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through and take its time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = _route(scope)
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)


def _route(scope: Scope) -> str:
    """The path's template, the same for all backends (FastAPI 0.165 leaves out the prefix)."""
    path: str = getattr(scope.get("route"), "path", "unknown")
    below = "backend" in scope.get("path_params", {}) and not path.startswith("/{backend}")
    return "/{backend}" + path if below else path


class _Process(Collector):
    """Figures that the process keeps anyway, read when they are asked for."""

    def collect(self) -> Iterable[Metric]:
        """Failures by reason; models by state; what waits in their queues."""
        failures = CounterMetricFamily(
            "prelabel_failures", "Tasks and regions lost", labels=["backend", "reason"]
        )
        for (backend, reason), count in runtime().failures.counts().items():
            failures.add_metric([backend, reason], count)
        yield failures
        loaded = GaugeMetricFamily("prelabel_model_loaded", "1 if loaded", labels=["model"])
        waiting = GaugeMetricFamily("prelabel_queue_items", "Items waiting", labels=["model"])
        for slot in runtime().models.slots():
            loaded.add_metric([slot.spec.label], float(slot.state == "loaded"))
            if slot.queue is not None:
                waiting.add_metric([slot.spec.label], float(len(slot.queue)))
        yield loaded
        yield waiting

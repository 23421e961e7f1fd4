"""Traces of requests by OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT is set: else nothing of it.

A request is a span, below the client's if it sends the W3C header `traceparent`. Below it are those
of its tasks: `read`, `queue` (waiting for the model), `infer` (its batch) and `regions`. They say
which backend and model, how many items, and why something failed; nothing of what tasks hold.
"""

import importlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared import __version__
from shared.backend.extras import require
from shared.settings import Settings

# The extra that installs OpenTelemetry.
EXTRA = "otel"


class Tracing:
    """Records the spans of one process, or none unless `settings` name a collector.

    The standard variables (OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER …)
    are read by OpenTelemetry itself. SettingError if the extra `otel` is not installed.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        is_on = settings is not None and settings.otel_exporter_otlp_endpoint
        self._provider = _make_provider() if is_on else None
        self._tracer = (
            self._provider.get_tracer("prelabel", __version__) if self._provider else None
        )

    @property
    def is_on(self) -> bool:
        """Whether spans are recorded."""
        return self._tracer is not None

    def close(self) -> None:
        """Send what has not been sent."""
        if self._provider is not None:
            self._provider.shutdown()

    @contextmanager
    def request_span(self, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Make a span of a request the current one; it is below that of `traceparent`, if any.

        Yields the span, for attributes; None where there are no traces.
        """
        if self._tracer is None:
            yield None
            return
        trace = importlib.import_module("opentelemetry.trace")
        propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
        parent = propagation.TraceContextTextMapPropagator().extract(headers)
        with self._tracer.start_as_current_span(
            name, context=parent, kind=trace.SpanKind.SERVER
        ) as span:
            yield span

    def start_waiting(self) -> "Waiting | None":
        """Return what `record_batch` needs of an item that begins to wait; None without traces."""
        if self._tracer is None:
            return None
        return Waiting(importlib.import_module("opentelemetry.context").get_current(), time.time())

    def record_batch(
        self, waiting: Iterable["Waiting | None"], model: str, items: int, seconds: float
    ) -> None:
        """Record for each item of a batch that is done how long it waited and how long it took."""
        if self._tracer is None:
            return
        end = time.time()
        for item in waiting:
            if item is not None:
                about = {"model": model, "batch_items": items}
                self._record("queue", item.parent, (item.since, end - seconds), about)
                self._record("infer", item.parent, (end - seconds, end), about)

    def record_stage(self, name: str, seconds: float, **about: str) -> None:
        """Record what has just ended and took so many seconds, below the current request."""
        if self._tracer is not None:
            end = time.time()
            parent = importlib.import_module("opentelemetry.context").get_current()
            self._record(name, parent, (end - seconds, end), about)

    def _record(
        self, name: str, parent: Any, times: tuple[float, float], about: Mapping[str, Any]
    ) -> None:
        """Record a span of an earlier time (`time.time()`), unless it belongs to no request."""
        trace = importlib.import_module("opentelemetry.trace")
        if self._tracer is None or not trace.get_current_span(parent).get_span_context().is_valid:
            return
        attributes = {f"prelabel.{key}": value for key, value in about.items()}
        start, end = (int(seconds * 1e9) for seconds in times)
        self._tracer.start_span(name, parent, attributes=attributes, start_time=start).end(end)


class Waiting(NamedTuple):
    """An item in a queue: the context of its request, and since when it waits (`time.time()`)."""

    parent: Any
    since: float


def _make_provider() -> Any:
    """Return what sends spans to the collector, in batches, from a thread of its own."""
    resources = require("opentelemetry.sdk.resources", EXTRA)
    sdk = require("opentelemetry.sdk.trace", EXTRA)
    export = require("opentelemetry.sdk.trace.export", EXTRA)
    otlp = require("opentelemetry.exporter.otlp.proto.http.trace_exporter", EXTRA)
    known = {"service.name": "prelabel", "service.version": __version__}
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes first.
    resource = resources.Resource(known).merge(resources.OTELResourceDetector().detect())
    provider = sdk.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return provider

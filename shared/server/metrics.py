"""Counters in Prometheus format."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from shared.pipeline.models import resident_bytes
from shared.pipeline.runtime import runtime
from shared.server.worker_metrics import WorkerMetrics

BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100)


class ServerMetrics:
    """The figures of one server process, and on request those of its neighbours too."""

    def __init__(self, neighbours: WorkerMetrics | None = None) -> None:
        self._neighbours = neighbours
        self._registry = registry = CollectorRegistry()
        requests = Counter(
            "prelabel_requests", "Requests answered", ["route", "status"], registry=registry
        )
        seconds = Histogram(
            "prelabel_request_seconds",
            "Time to answer",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._requests, self._seconds = requests, seconds
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        tasks = Counter(
            "prelabel_tasks", "Tasks by what came of them", ["outcome"], registry=registry
        )
        self._predicted, self._failed = tasks.labels("predicted"), tasks.labels("failed")
        registry.register(_Process())

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """A request, by the template of its path."""
        found = self._known.get((route, status))
        if found is None:
            found = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._known[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def count_tasks(self, predicted: int, failed: int) -> None:
        """Count the tasks of a request."""
        self._predicted.inc(predicted)
        if failed:
            self._failed.inc(failed)

    def render(self) -> bytes:
        """All of them, as Prometheus scrapes them."""
        own = generate_latest(self._registry)
        return own if self._neighbours is None else self._neighbours.text(own)

    def publish(self) -> None:
        """Leave them to the neighbours, if there are any."""
        if self._neighbours is not None:
            self._neighbours.write(generate_latest(self._registry))


class _Process(Collector):
    """Figures that the process keeps anyway, read when they are asked for."""

    def collect(self) -> Iterable[Metric]:
        """Failures by reason; stages, batches and models; the answers that are kept."""
        failures = CounterMetricFamily(
            "prelabel_failures", "Tasks and regions lost", labels=["backend", "reason"]
        )
        for (backend, reason), count in runtime().failures.counts().items():
            failures.add_metric([backend, reason], count)
        yield failures
        yield from _models()
        yield from _stages()
        yield from _answers()
        memory = GaugeMetricFamily("prelabel_memory_bytes", "Resident memory of the process")
        memory.add_metric([], resident_bytes())
        yield memory


def _models() -> Iterable[Metric]:
    loaded = GaugeMetricFamily("prelabel_model_loaded", "1 if loaded", labels=["model"])
    memory = GaugeMetricFamily(
        "prelabel_model_memory_bytes", "Estimated memory of loaded models", labels=["model"]
    )
    waiting = GaugeMetricFamily("prelabel_queue_items", "Items waiting", labels=["model"])
    for slot in runtime().models.all_models():
        loaded.add_metric([slot.spec.label], float(slot.state == "loaded"))
        if slot.queue is not None:
            memory.add_metric([slot.spec.label], float(slot.memory))
            waiting.add_metric([slot.spec.label], float(len(slot.queue)))
    return loaded, memory, waiting


def _stages() -> Iterable[Metric]:
    stages = HistogramMetricFamily(
        "prelabel_stage_seconds",
        "Time of a task's read and regions, and of a batch's infer",
        labels=["stage", "backend"],
    )
    for labels, histogram in runtime().metrics.stages().items():
        stages.add_metric(list(labels), histogram.buckets(), histogram.total)
    batches = HistogramMetricFamily("prelabel_batch_items", "Items in a batch", labels=["model"])
    for model, histogram in runtime().metrics.batches().items():
        batches.add_metric([model], histogram.buckets(), histogram.total)
    return stages, batches


def _answers() -> Iterable[Metric]:
    kept = runtime().output_cache
    asked = CounterMetricFamily(
        "prelabel_answer_cache", "Outputs asked of the cache", labels=["found"]
    )
    asked.add_metric(["yes"], kept.hits)
    asked.add_metric(["no"], kept.misses)
    size = GaugeMetricFamily("prelabel_answer_cache_bytes", "Memory of the outputs that are kept")
    size.add_metric([], kept.bytes)
    return asked, size

"""What `/metrics` exposes, in Prometheus' text format."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.backend.process_resources import shared_resources
from shared.pipeline.process_memory import resident_bytes
from shared.pipeline.runtime import runtime
from shared.server.worker_metrics import WorkerMetrics

REQUEST_SECONDS_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100)


class ServerMetrics:
    """The metrics of one server process, and those of the other workers where there are several."""

    def __init__(self, worker_metrics: WorkerMetrics | None = None) -> None:
        self._worker_metrics = worker_metrics
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "prelabel_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "prelabel_request_seconds",
            "Time to answer",
            ["route"],
            buckets=REQUEST_SECONDS_BUCKETS,
            registry=registry,
        )
        tasks = Counter("prelabel_tasks", "Tasks by outcome", ["outcome"], registry=registry)
        self.predicted_tasks, self.failed_tasks = tasks.labels("predicted"), tasks.labels("failed")
        registry.register(_RuntimeCollector())

    def render(self) -> bytes:
        """Return the metrics of all workers as Prometheus scrapes them."""
        own = generate_latest(self._registry)
        return own if self._worker_metrics is None else self._worker_metrics.merge(own)

    def publish(self) -> None:
        """Write this worker's metrics for the others, if there are any."""
        if self._worker_metrics is not None:
            self._worker_metrics.write(generate_latest(self._registry))


class _RuntimeCollector(Collector):
    """Reads what the process keeps count of anyway, when it is scraped."""

    def collect(self) -> Iterable[Metric]:
        """Yield failures by reason, models, stages and batches, the cache, tokens, memory."""
        failures = CounterMetricFamily(
            "prelabel_failures", "Tasks and regions lost", labels=["backend", "reason"]
        )
        for (backend, reason), count in runtime().failures.counts().items():
            failures.add_metric([backend, reason], count)
        yield failures
        yield from _model_metrics()
        yield from _pipeline_histograms()
        yield from _cache_metrics()
        yield _token_metric()
        memory = GaugeMetricFamily("prelabel_memory_bytes", "Resident memory of the process")
        memory.add_metric([], resident_bytes())
        yield memory


def _model_metrics() -> Iterable[Metric]:
    loaded = GaugeMetricFamily("prelabel_model_loaded", "1 if loaded", labels=["model"])
    memory = GaugeMetricFamily(
        "prelabel_model_memory_bytes", "Estimated memory of loaded models", labels=["model"]
    )
    waiting = GaugeMetricFamily("prelabel_queue_items", "Items waiting", labels=["model"])
    for model in runtime().models.all_models():
        loaded.add_metric([model.spec.label], float(model.state == "loaded"))
        if model.queue is not None:
            memory.add_metric([model.spec.label], float(model.memory_bytes))
            waiting.add_metric([model.spec.label], float(len(model.queue)))
    return loaded, memory, waiting


def _pipeline_histograms() -> Iterable[Metric]:
    """Yield the pipeline's histograms under the labels that dashboards know.

    Bounds are written le="1", not "1.0", and there are no times of creation.
    """
    for metric in runtime().metrics.registry.collect():
        histogram = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            if sample.name.endswith("_created"):
                continue
            labels = dict(sample.labels)
            if "le" in labels:
                labels["le"] = labels["le"].removesuffix(".0")
            histogram.add_sample(sample.name, labels, sample.value)
        yield histogram


def _token_metric() -> Metric:
    tokens = CounterMetricFamily(
        "prelabel_tokens",
        "Tokens that language models took, of prompts and of completions",
        labels=["model", "project", "kind"],
    )
    for (model, project), count in shared_resources().token_counts.all().items():
        tokens.add_metric([model, project, "prompt"], count.prompt)
        tokens.add_metric([model, project, "completion"], count.completion)
    return tokens


def _cache_metrics() -> Iterable[Metric]:
    cache = runtime().output_cache
    lookups = CounterMetricFamily(
        "prelabel_answer_cache", "Lookups in the cache of model outputs", labels=["found"]
    )
    lookups.add_metric(["yes"], cache.hits)
    lookups.add_metric(["no"], cache.misses)
    size = GaugeMetricFamily("prelabel_answer_cache_bytes", "Memory of the cached model outputs")
    size.add_metric([], cache.bytes)
    return lookups, size

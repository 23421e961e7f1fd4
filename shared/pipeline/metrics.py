"""Histograms of what a process predicts: seconds by stage, items by batch."""

from functools import cache

from prometheus_client import CollectorRegistry, Histogram

from shared.pipeline.tracing import Tracing

STAGE_SECONDS_BUCKETS = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)
BATCH_ITEMS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class PipelineMetrics:
    """The histograms of one process, in a registry of their own, which the server exposes.

    What a task's stages take also goes into `tracing`.
    """

    def __init__(self, tracing: Tracing | None = None) -> None:
        self.tracing = tracing or Tracing()
        self.registry = CollectorRegistry()
        self._stage_seconds = Histogram(
            "prelabel_stage_seconds",
            "Time of a task's read and regions, and of a batch's infer",
            ["stage", "backend"],
            buckets=STAGE_SECONDS_BUCKETS,
            registry=self.registry,
        )
        # Finding one by its labels takes as long as observing it.
        self._seconds_of = cache(self._stage_seconds.labels)
        self._batch_items = Histogram(
            "prelabel_batch_items",
            "Items in a batch",
            ["model"],
            buckets=BATCH_ITEMS_BUCKETS,
            registry=self.registry,
        )

    def observe_stage(self, stage: str, backend: str, seconds: float) -> None:
        """Observe a stage: `read` or `regions` of a task, or `infer` of a batch."""
        self._seconds_of(stage, backend).observe(seconds)
        self.tracing.record_stage(stage, seconds, backend=backend)

    def observe_batch(self, model: str, items: int) -> None:
        """Observe a batch that a model has run."""
        self._batch_items.labels(model).observe(items)

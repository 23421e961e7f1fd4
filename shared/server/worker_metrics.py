"""Metrics of several workers of one server: whichever is scraped answers for all of them.

prometheus_client's own multiprocess mode knows neither custom collectors nor a label of ours for
the worker.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

# How often a worker writes its metrics for the others.
PUBLISH_INTERVAL_SECONDS = 2.0


@dataclass(frozen=True)
class WorkerMetrics:
    """A folder in which each worker writes its metrics, as `<process id>.prom`."""

    folder: Path

    @classmethod
    def make(cls) -> "WorkerMetrics":
        """Make the folder, in the master process, before it forks."""
        return cls(Path(tempfile.mkdtemp(prefix="prelabel-")))

    def write(self, text: bytes) -> None:
        """Write this worker's metrics."""
        path = self.folder / f"{os.getpid()}.new"
        path.write_bytes(text)
        path.replace(path.with_suffix(".prom"))

    def merge(self, own: bytes) -> bytes:
        """Return the metrics of all workers, with the process id as the label `worker`.

        `own` are this worker's, which are newer than what it wrote last.
        """
        texts = {str(os.getpid()): own}
        for path in sorted(self.folder.glob("*.prom")):
            if path.stem not in texts:
                with suppress(FileNotFoundError):  # that worker has just ended
                    texts[path.stem] = path.read_bytes()
        registry = CollectorRegistry()
        registry.register(_MergedCollector(texts))
        return generate_latest(registry)

    def remove_worker(self, process: int) -> None:
        """Remove the metrics of a worker that has ended."""
        (self.folder / f"{process}.prom").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, when the server ends."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _MergedCollector(Collector):
    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        """Return each metric once, with the samples of all workers."""
        metrics: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text.decode()):
                metric = metrics.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    metric.add_sample(
                        sample.name, {**sample.labels, "worker": worker}, sample.value
                    )
        return metrics.values()

"""The figures of several workers of one server: whichever is asked tells those of all."""

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

# Seconds after which a worker writes its figures down again.
PUBLISH_INTERVAL_SECONDS = 2.0


@dataclass(frozen=True)
class WorkerMetrics:
    """A folder of the master process, in which each worker leaves its figures."""

    folder: Path

    @classmethod
    def make(cls) -> "WorkerMetrics":
        """In the master, before the fork."""
        return cls(Path(tempfile.mkdtemp(prefix="prelabel-")))

    def write(self, text: bytes) -> None:
        """Leave this worker's figures."""
        path = self.folder / f"{os.getpid()}.new"
        path.write_bytes(text)
        path.replace(path.with_suffix(".prom"))

    def text(self, own: bytes) -> bytes:
        """The figures of all workers, each with its process id as the label `worker`."""
        texts = {str(os.getpid()): own}
        for path in sorted(self.folder.glob("*.prom")):
            if path.stem not in texts:
                with suppress(FileNotFoundError):  # that worker has just ended
                    texts[path.stem] = path.read_bytes()
        registry = CollectorRegistry()
        registry.register(_Workers(texts))
        return generate_latest(registry)

    def forget(self, worker: int) -> None:
        """A worker is no more."""
        (self.folder / f"{worker}.prom").unlink(missing_ok=True)

    def remove(self) -> None:
        """The server ends."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Workers(Collector):
    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        """Each figure once, with the samples of all workers."""
        found: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text.decode()):
                known = found.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, "worker": worker}
                    known.add_sample(sample.name, labels, sample.value)
        return found.values()

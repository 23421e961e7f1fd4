"""What a process counts while it predicts: seconds by stage, items by batch."""

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STAGE_SECONDS_BUCKETS = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)
BATCH_ITEMS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass
class Histogram:
    """How many values lie at or under each bound, and above the last one."""

    bounds: Sequence[float]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: bound and count of all values up to it."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        counts = list(self.counts)
        return [(name, sum(counts[: place + 1])) for place, name in enumerate(names)]


class PipelineMetrics:
    """Of all requests of a process."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, str], Histogram] = {}
        self._batches: dict[str, Histogram] = {}
        self._lock = threading.Lock()

    def observe_stage(self, stage: str, backend: str, seconds: float) -> None:
        """A stage of a task: read, infer (of a batch) or regions."""
        with self._lock:
            known = self._stages.get((stage, backend))
            if known is None:
                known = self._stages[stage, backend] = Histogram(STAGE_SECONDS_BUCKETS)
            known.add(seconds)

    def observe_batch(self, model: str, items: int) -> None:
        """A batch that a model has run."""
        with self._lock:
            known = self._batches.get(model)
            if known is None:
                known = self._batches[model] = Histogram(BATCH_ITEMS_BUCKETS)
            known.add(items)

    def stages(self) -> Mapping[tuple[str, str], Histogram]:
        """By stage and backend."""
        with self._lock:
            return dict(self._stages)

    def batches(self) -> Mapping[str, Histogram]:
        """By model."""
        with self._lock:
            return dict(self._batches)

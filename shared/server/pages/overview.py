"""What the first page shows: backends, models, what waits, and what went wrong."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from shared.pipeline.models import ModelEntry
from shared.pipeline.process_memory import resident_bytes
from shared.pipeline.runtime import runtime
from shared.server.service import PredictionService
from shared.settings import Settings

# (name of a sample, its labels as sorted pairs) → value
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class ModelRow:
    """A model as the table shows it; what is not known yet is None."""

    name: str
    state: str
    engine: str
    weights: str | None
    load_seconds: float
    memory_bytes: int
    waiting: int
    batches: int
    mean_batch: float | None
    items_per_second: float | None
    error: str | None


def describe_overview(service: PredictionService, settings: Settings) -> dict[str, Any]:
    """Return the values of the page's template."""
    status, readiness = service.status(), service.readiness()
    samples = read_samples()
    return {
        "version": status["version"],
        "backends": status["backends"],
        "problems": status.get("problems", {}),
        "readiness": readiness,
        "models": [_describe_model(entry, samples) for entry in runtime().models.all_models()],
        "failures": status["failures"],
        "uptime": time.time() - psutil.Process().create_time(),
        "memory_bytes": resident_bytes(),
        "process": os.getpid(),
        "workers": settings.workers,
        "device": settings.device,
        "engine": settings.engine,
        "has_password": bool(settings.basic_auth_user or settings.basic_auth_pass),
        "is_public": settings.host not in {"127.0.0.1", "localhost", "::1"},
    }


def read_samples() -> Samples:
    """Return the pipeline's metrics of this process as they stand."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in runtime().metrics.registry.collect()
        for sample in metric.samples
    }


def sum_samples(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels."""
    wanted = labels.items()
    return sum(
        value for (found, pairs), value in samples.items() if found == name and wanted <= pairs
    )


def _describe_model(entry: ModelEntry, samples: Samples) -> ModelRow:
    label, queue = entry.spec.label, entry.queue
    batches = sum_samples(samples, "prelabel_batch_items_count", model=label)
    items = sum_samples(samples, "prelabel_batch_items_sum", model=label)
    return ModelRow(
        label,
        entry.state,
        entry.engine,
        entry.weights_hash[:8] if entry.weights_hash else None,
        entry.load_seconds,
        entry.memory_bytes,
        len(queue) if queue is not None else 0,
        int(batches),
        items / batches if batches else None,
        _items_per_second(entry.spec.backend, samples),
        entry.error,
    )


def _items_per_second(backend: str, samples: Samples) -> float | None:
    """Return how many items a backend's models have run in a second of their own time.

    Seconds are counted by backend, so that models of one backend have one rate.
    """
    seconds = sum_samples(samples, "prelabel_stage_seconds_sum", stage="infer", backend=backend)
    labels: Iterable[str] = {
        entry.spec.label for entry in runtime().models.all_models() if entry.spec.backend == backend
    }
    items = sum(sum_samples(samples, "prelabel_batch_items_sum", model=one) for one in labels)
    return items / seconds if seconds and items else None

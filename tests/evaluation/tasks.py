"""Small annotated tasks for tests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.backend.process_resources import shared_resources
from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.results import Region

Raw = dict[str, Any]


def results_of(regions: Iterable[Region]) -> list[Raw]:
    """Return the results of built regions, as they stand in an annotation."""
    return [dict(result) for region in regions for result in region.results]


def annotation(regions: Iterable[Region] = (), **keys: Any) -> Raw:
    """Return an annotation of built regions."""
    return {"id": 1, "completed_by": 1, "was_cancelled": False, "ground_truth": False} | {
        "result": results_of(regions),
        **keys,
    }


def prediction(regions: Iterable[Region] = (), version: str = "v1", **keys: Any) -> Raw:
    """Return a prediction of built regions."""
    return {"id": 7, "model_version": version, "result": results_of(regions), **keys}


def raw_task(
    data: Mapping[str, Any],
    annotations: Sequence[Raw] = (),
    predictions: Sequence[Raw] = (),
    task_id: Any = 1,
) -> Raw:
    """Return a task as Label Studio exports it."""
    return {
        "id": task_id,
        "data": dict(data),
        "annotations": list(annotations),
        "predictions": list(predictions),
    }


def read_task(
    raw: Any, config: LabelConfig | str, problems: ProblemLog | None = None
) -> AnnotatedTask | None:
    """Read a task as the commands do."""
    config = LabelConfig.parse(config) if isinstance(config, str) else config
    problems = ProblemLog() if problems is None else problems
    reader = TaskReader(config, shared_resources().media, problems)
    return reader.read(raw, 0)

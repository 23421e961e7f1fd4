"""Several predictions of a task, one of each model of a backend."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shared.errors import ModelError, UnfillableError
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome

# What `/predict` answers for one task.
PredictionJson = dict[str, Any] | list[Any]
RunPlan = Callable[[PredictionPlan, Iterable[Any]], Iterator[TaskOutcome]]


def predict_all(
    plans: Sequence[PredictionPlan], tasks: Sequence[Any], run: RunPlan
) -> list[PredictionJson]:
    """Return for each task a list of predictions, one of each plan, without those it has already.

    Label Studio asks for a task until it has a prediction of the last plan's version, which is
    what /setup answers. So the last one is held back if another prediction of the task failed.
    """
    versions = [plan.version() for plan in plans]
    sent_versions = [_sent_versions(task) for task in tasks]
    streams = [
        run(plan, [task for task, sent in zip(tasks, sent_versions, strict=True) if v not in sent])
        for plan, v in zip(plans, versions, strict=True)
    ]
    answers: list[PredictionJson] = []
    for sent in sent_versions:
        pairs = zip(streams, versions, strict=True)
        outcomes = [None if version in sent else next(stream) for stream, version in pairs]
        answers.append(_select_predictions(outcomes))
    return answers


def _select_predictions(outcomes: Iterable[TaskOutcome | None]) -> list[Any]:
    """Return the predictions of a task's outcomes; None stands for one that it has already.

    A model that cannot be loaded does not count as failed, just as it has no part in the version;
    nor does one that has nothing for this task, since asking again would change nothing.
    """
    not_counted = ModelError, UnfillableError
    taking_part = [o for o in outcomes if o is None or not isinstance(o.error, not_counted)]
    done = [o for o in taking_part if o is None or o.prediction is not None]
    if len(done) < len(taking_part):
        done = done[:-1] if done and done[-1] is taking_part[-1] else done
    return [o.prediction.to_json() for o in done if o is not None and o.prediction is not None]


def _sent_versions(task: Any) -> set[Any]:
    """Return the versions of the predictions that Label Studio sends with a task."""
    sent = task.get("predictions") if isinstance(task, dict) else None
    found = sent if isinstance(sent, list) else []
    return {p["model_version"] for p in found if isinstance(p, dict) and _has_version(p)}


def _has_version(prediction: dict[str, Any]) -> bool:
    return isinstance(prediction.get("model_version"), str)

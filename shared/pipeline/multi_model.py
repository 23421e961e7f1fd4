"""Several predictions of a task, of as many models: which of them an answer has."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shared.errors import ModelError, UnfillableError
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.prediction import TaskOutcome

# What `/predict` says of one task.
PredictionJson = dict[str, Any] | list[Any]
Run = Callable[[PredictionPlan, Iterable[Any]], Iterator[TaskOutcome]]


def predict_all(
    routes: Sequence[PredictionPlan], tasks: Sequence[Any], run: Run
) -> list[PredictionJson]:
    """A list of predictions for each task, one a route, without those that it has already.

    Label Studio asks for a task until it has a prediction of the last route's version, which
    /setup answers. So that one is held back from a task of which another prediction failed.
    """
    versions = [route.version() for route in routes]
    had = [_versions(task) for task in tasks]
    streams = [
        run(route, [task for task, known in zip(tasks, had, strict=True) if version not in known])
        for route, version in zip(routes, versions, strict=True)
    ]
    return [
        _answer(None if v in known else next(s) for s, v in zip(streams, versions, strict=True))
        for known in had
    ]


def _answer(outcomes: Iterable[TaskOutcome | None]) -> list[Any]:
    """Outcomes in the order of the routes: None is a prediction that the task has already.

    A model that cannot be loaded takes no part, here as in the version; nor does one that has
    nothing for this task, since asking again would change nothing.
    """
    without = ModelError, UnfillableError
    taking_part = [o for o in outcomes if o is None or not isinstance(o.error, without)]
    done = [o for o in taking_part if o is None or o.prediction is not None]
    if len(done) < len(taking_part):
        done = done[:-1] if done and done[-1] is taking_part[-1] else done
    return [o.prediction.to_json() for o in done if o is not None and o.prediction is not None]


def _versions(task: Any) -> set[Any]:
    """The versions of the predictions that Label Studio sends with a task."""
    sent = task.get("predictions") if isinstance(task, dict) else None
    found = sent if isinstance(sent, list) else []
    return {p["model_version"] for p in found if isinstance(p, dict) and _is_text(p)}


def _is_text(prediction: dict[str, Any]) -> bool:
    return isinstance(prediction.get("model_version"), str)

"""Predictions of one backend by itself: for label-studio-ml's server, examples and tests."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from shared.backend.base import Backend, Context
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime


def predict(backend: Backend, tasks: Sequence[Any], context: Context | None = None) -> list[Any]:
    """Return what `/predict` returns for each task; `[]` for one that failed."""
    pipeline, plan = runtime().pipeline, plan_backend(backend)
    with closing(pipeline.run(plan, tasks, context)) as outcomes:
        return [outcome.to_response(interactive=context is not None) for outcome in outcomes]


def model_version(backend: Backend) -> str:
    """Return the version of its predictions; weights are fetched if need be."""
    return plan_backend(backend).version(wait=True)


def plan_backend(backend: Backend) -> PredictionPlan:
    """Return how a backend fills its own label config."""
    return runtime().planner.plan(backend.config, [backend], [backend.name])

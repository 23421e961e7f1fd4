"""The plans of commands: with their models loaded, or an error that says why not."""

from collections.abc import Sequence
from dataclasses import replace

from shared.backend.annotated_examples import AnnotatedExamples
from shared.backend.registry import choose_backends, faulty_backends, split_available
from shared.errors import SettingError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import Runtime


def load_plans(
    runtime: Runtime,
    config: LabelConfig,
    names: Sequence[str],
    min_score: float = 0.0,
    examples: AnnotatedExamples | None = None,
) -> list[PredictionPlan]:
    """Return one plan for each named backend, with its model loaded.

    Without names the plans are those of the server, through all backends that can run here.
    `examples` are what annotators have drawn, for control tags that ask for it.
    Raises SettingError or ModelError if one of them cannot predict.
    """
    plans = _make_plans(runtime, config, names, min_score, examples)
    for plan in plans:
        for step in plan.steps:
            runtime.models.get_or_load(step.backend, step.spec)
    _refuse_same_models([plan.own_version() for plan in plans])
    return plans


def fetch_plans(
    runtime: Runtime, config: LabelConfig, names: Sequence[str], min_score: float = 0.0
) -> list[PredictionPlan]:
    """Return the plans of `load_plans` with their versions known and no model loaded.

    For a process that leaves predicting to others: weights are fetched, since versions are made
    of their hashes. Raises SettingError or ModelError if one of them cannot predict.
    """
    plans = _make_plans(runtime, config, names, min_score)
    for plan in plans:
        for step in plan.steps:
            runtime.models.weights_hash(step.backend, step.spec)
    _refuse_same_models([plan.own_version() for plan in plans])
    return plans


def _make_plans(
    runtime: Runtime,
    config: LabelConfig,
    names: Sequence[str],
    min_score: float,
    examples: AnnotatedExamples | None = None,
) -> list[PredictionPlan]:
    if names:
        plans = _in_order([_plan_named(runtime, config, name, examples) for name in names])
    else:
        plans = plan_all(runtime, config, examples)
    return [plan.with_min_score(min_score) for plan in plans] if min_score else plans


def _refuse_same_models(versions: Sequence[str]) -> None:
    for version in versions:
        if versions.count(version) > 1:
            raise SettingError(f"Two of the backends are the same model: {version}")


def _in_order(plans: Sequence[PredictionPlan]) -> list[PredictionPlan]:
    """Chain the plans of one backend as the server does: their versions depend on each other."""
    chained: list[PredictionPlan] = []
    for plan in plans:
        names = {step.backend.name for step in plan.steps}
        same = [p for p in chained if names & {step.backend.name for step in p.steps}]
        chained.append(replace(plan, preceding=tuple(same)))
    return chained


def plan_all(
    runtime: Runtime, config: LabelConfig, examples: AnnotatedExamples | None = None
) -> list[PredictionPlan]:
    """Return the plans of the server, through all backends that can run here; none is loaded.

    SettingError if nothing of the label config can be filled.
    """
    plans, problems = plan_what_serves(runtime, config, examples)
    if not plans[0].steps:
        raise SettingError("; ".join((*plans[0].problems, *problems)))
    return plans


def plan_what_serves(
    runtime: Runtime, config: LabelConfig, examples: AnnotatedExamples | None = None
) -> tuple[list[PredictionPlan], list[str]]:
    """Return the plans of the server, none of them loaded, and why backends have no part in them.

    The first plan has no steps if nothing of the label config can be filled.
    """
    names = runtime.settings.backends
    classes, problems = split_available(choose_backends(names))
    plain_names = [name.partition(":")[0] for name in names]
    plans = runtime.planner.plan_all(config, classes, plain_names, examples=examples)
    return plans, [*problems.values(), *faulty_backends().values()]


def _plan_named(
    runtime: Runtime, config: LabelConfig, name: str, examples: AnnotatedExamples | None
) -> PredictionPlan:
    [cls] = choose_backends([name])
    if (reason := cls.unavailable_reason()) is not None:
        raise SettingError(reason)
    [plan] = runtime.planner.plan_all(config, [cls], [cls.name], examples=examples)
    if not plan.steps:
        raise SettingError("; ".join(plan.problems))
    return plan

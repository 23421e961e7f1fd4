"""The routes of a command: one for each backend that is named, or one through all of them."""

from collections.abc import Sequence
from dataclasses import replace

from shared.backend.base import Backend
from shared.backend.registry import (
    choose_backends,
    faulty_backends,
    group_by_prediction,
    split_available,
)
from shared.errors import SettingError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime


def build_plans(config: LabelConfig, names: Sequence[str]) -> list[PredictionPlan]:
    """The routes, their models loaded; SettingError or ModelError if one cannot be taken.

    Without names there is one route through all that run here, as the server has it.
    """
    routes = [_named(config, name) for name in names] if names else _all(config)
    for route in routes:
        for step in route.steps:
            runtime().models.get_or_load(step.backend, step.claims[0].spec)
    versions = [route.own_version() for route in routes]
    for version in versions:
        if versions.count(version) > 1:
            raise SettingError(f"Two of the backends are the same model: {version}")
    return _in_order(routes)


def _in_order(routes: Sequence[PredictionPlan]) -> list[PredictionPlan]:
    """As the server has it: the version of a backend's further model changes with the others."""
    found: list[PredictionPlan] = []
    for route in routes:
        names = {step.backend.name for step in route.steps}
        same = [r for r in found if names & {step.backend.name for step in r.steps}]
        found.append(replace(route, preceding=tuple(same)))
    return found


def _all(config: LabelConfig) -> list[PredictionPlan]:
    names = runtime().settings.backends
    classes, problems = split_available(choose_backends(names))
    plain = [name.partition(":")[0] for name in names]
    first, *more = (_route(config, group, plain) for group in group_by_prediction(classes))
    reasons = (*problems.values(), *faulty_backends().values())
    return [_filling(first, *reasons), *(route for route in more if route.steps)]


def _named(config: LabelConfig, name: str) -> PredictionPlan:
    [cls] = choose_backends([name])
    if (problem := cls.problem()) is not None:
        raise SettingError(problem)
    return _filling(_route(config, [cls], [cls.name]))


def _route(
    config: LabelConfig, classes: Sequence[type[Backend]], names: Sequence[str]
) -> PredictionPlan:
    backends = [cls(label_config=config.xml, served=True) for cls in classes]
    return PredictionPlan.build(config, backends, named=names)


def _filling(route: PredictionPlan, *problems: str) -> PredictionPlan:
    """The route; SettingError says why nothing can be filled, if so."""
    if not route.steps:
        raise SettingError("; ".join([*route.problems, *problems]))
    return route

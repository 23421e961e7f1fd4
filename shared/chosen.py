"""The routes of a command: one for each backend that is named, or one through all of them."""

from collections.abc import Sequence

from shared.backend import Backend
from shared.errors import SettingError
from shared.label_config import LabelConfig
from shared.route import Route
from shared.routing import choose_backends, runnable
from shared.runtime import runtime
from shared.settings import changed_environment


def chosen(config: LabelConfig, names: Sequence[str]) -> list[Route]:
    """The routes, their models loaded; SettingError or ModelError if one cannot be taken.

    A name may say its model, `detection:yolo26s.pt`: so one backend can go with several.
    Without names there is one route through all that run here, as the server has it.
    """
    routes = [_named(config, name) for name in names] or [_all(config)]
    for route in routes:
        for step in route.steps:
            runtime().models.queue(step.backend, step.claims[0].spec)
    versions = [route.version() for route in routes]
    for version in versions:
        if versions.count(version) > 1:
            raise SettingError(f"Two of the backends are the same model: {version}")
    return routes


def _all(config: LabelConfig) -> Route:
    names = runtime().settings.backends
    classes, problems = runnable(choose_backends(names))
    return _route(config, classes, names, tuple(problems.values()))


def _named(config: LabelConfig, name: str) -> Route:
    name, _, model = name.partition(":")
    [cls] = choose_backends([name])
    if (problem := cls.problem()) is not None:
        raise SettingError(problem)
    if not model:
        return _route(config, [cls], [name])
    if "model" not in cls.settings_class.model_fields:
        raise SettingError(f"{name} has no choice of models")
    prefix = str(cls.settings_class.model_config.get("env_prefix") or "")
    with changed_environment({f"{prefix}MODEL".upper(): model}):
        return _route(config, [cls], [name])


def _route(
    config: LabelConfig,
    classes: Sequence[type[Backend]],
    names: Sequence[str],
    problems: Sequence[str] = (),
) -> Route:
    backends = [cls(label_config=config.xml, served=True) for cls in classes]
    route = Route.build(config, backends, named=names)
    if not route.steps:
        raise SettingError("; ".join([*route.problems, *problems]))
    return route

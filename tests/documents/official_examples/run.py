"""Plans the label configs of the official examples: which backend fills which control tag."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.backend.registry import choose_backends, split_available
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline import runtime
from shared.pipeline.plan import PredictionPlan
from shared.settings import changed_environment

from .configs import CONFIGS, OWN_WEIGHTS, ExampleConfig


@dataclass(frozen=True)
class PlannedTag:
    """A control tag, and the backends that fill it without settings, and with the config's own.

    A backend that answers clicks and typed words only has a `*` behind its name.
    """

    control: Control
    object_tag: str
    by_default: tuple[str, ...]
    with_settings: tuple[str, ...]


@dataclass(frozen=True)
class PlannedConfig:
    """A label config of an example with its control tags."""

    example: ExampleConfig
    tags: tuple[PlannedTag, ...]


# What fills each control tag, by its name.
Fillers = Mapping[str, tuple[str, ...]]


@cache
def plan_configs() -> tuple[PlannedConfig, ...]:
    """Plan all label configs, by all backends that are installed."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / OWN_WEIGHTS).write_bytes(b"")
        plain = _find_fillers(CONFIGS, {"MODEL_DIR": folder})
        fillers = dict(plain)
        for sets in {tuple(config.sets.items()) for config in CONFIGS if config.sets}:
            asking = [config for config in CONFIGS if tuple(config.sets.items()) == sets]
            fillers |= _find_fillers(asking, {"MODEL_DIR": folder, **dict(sets)})
    return tuple(_read_plan(config, plain[config], fillers[config]) for config in CONFIGS)


def _read_plan(example: ExampleConfig, plain: Fillers, asked: Fillers) -> PlannedConfig:
    config = LabelConfig.parse(example.xml)
    tags = (
        PlannedTag(
            control,
            next(config.objects[name].tag for name in control.to_names if name in config.objects),
            plain.get(control.name, ()),
            asked.get(control.name, ()),
        )
        for control in config.controls
    )
    return PlannedConfig(example, tuple(tags))


def _find_fillers(
    examples: Iterable[ExampleConfig], environment: Mapping[str, str]
) -> dict[ExampleConfig, Fillers]:
    with _fresh_runtime(environment):
        backends = split_available(choose_backends([]))[0]
        planner = runtime.runtime().planner
        return {
            one: _fillers_of(planner.plan_all(LabelConfig.parse(one.xml), backends)[0])
            for one in examples
        }


def _fillers_of(plan: PredictionPlan) -> Fillers:
    found: dict[str, list[str]] = {}
    for step in plan.steps:
        name = step.backend.name + ("*" if step.interactive_only else "")
        for claim in step.claims:
            for control in claim.controls:
                found.setdefault(control.name, []).append(name)
    return {name: tuple(dict.fromkeys(names)) for name, names in found.items()}


@contextmanager
def _fresh_runtime(environment: Mapping[str, str]) -> Iterator[None]:
    """Read all settings from this environment, and say nothing."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with changed_environment(dict(environment)):
        runtime.reset_runtime()
        yield
    runtime.reset_runtime()
    logging.disable(level)

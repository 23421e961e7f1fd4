"""The plans of the label configs that were used last: shared, or with a project's own models."""

import logging
import os
from collections.abc import Container, Sequence
from contextlib import ExitStack, suppress

from shared.backend.base import Backend
from shared.backend.claim import ModelSpec
from shared.backend.process_resources import shared_resources
from shared.backend.training import TrainedWeights
from shared.errors import ConfigError, DeadlineError, ModelError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.text_cache import TextCache
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import Runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.project_examples import ProjectExamples
from shared.server.project_models import OwnModels, PlanKey, PlanOwner, ProjectModels
from shared.training.serving_choice import VersionName

logger = logging.getLogger(__name__)

# A plan for each prediction that a task gets.
Plans = tuple[PredictionPlan, ...]


class PlanStore(PlanOwner):
    """Makes plans, and keeps those that were used last. One for each runtime."""

    def __init__(
        self, classes: Sequence[type[Backend]], named: Sequence[str], runtime: Runtime
    ) -> None:
        self.runtime = runtime
        self._classes = classes
        self._named = named
        self._models = runtime.models
        self._planner = runtime.planner
        self._plans: TextCache[PlanKey, Plans] = TextCache()
        self._retired: set[ModelSpec] = set()
        train_dir = runtime.settings.train_dir
        self.projects = ProjectModels(train_dir, self, lambda: not self.is_current)
        self._examples = ProjectExamples(runtime.settings, shared_resources().media)

    @property
    def is_current(self) -> bool:
        """Whether its runtime is that of this process, and is not closed."""
        return not self.runtime.is_closed and self.runtime.pid == os.getpid()

    def get(self, project: str, xml: str, backend: str | None) -> Plans | None:
        """Return the plans that a project gets now if they are known."""
        return self._plans.get(self._key(project, xml, backend))

    def make(self, project: str, xml: str, backend: str | None) -> Plans:
        """Return the plans that a project gets now; ConfigError if the XML cannot be parsed.

        What annotators have drawn in it is what `refresh_examples` has found last.
        """
        return self._plans_of(self._key(project, xml, backend))

    def refresh_examples(
        self, project: str, xml: str, scope: RequestScope | None = None, again: bool = True
    ) -> None:
        """Ask Label Studio what annotators have drawn, if the label config asks for it.

        What is known is asked for `again` unless that was just done. At its deadline a request
        goes on.
        """
        before = self._examples.known(project, xml)
        if before is not None and not again:
            return
        pending = self._examples.refresh(project, xml)
        if pending is None:
            return
        if scope is None:
            pending.result()
        else:
            with suppress(DeadlineError):
                scope.wait_for(pending)
        if before is not None and self._examples.known(project, xml) != before:
            self.retire([key for key, _ in self._plans.items() if key.examples == before])

    def pin(
        self, project: str, xml: str, backend: str | None, scope: RequestScope, end: ExitStack
    ) -> Plans:
        """Return the plans of a request, whose own models stay loaded until `end`."""
        key = self._key(project, xml, backend)
        if key.own is not None:
            self.projects.wait_until_ready(project, scope)
            key = self._key(project, xml, backend)
        plans = self._plans_of(key)
        if key.own is not None:
            specs = _specs(plans)
            self._models.pin(specs)
            end.callback(self._models.unpin, specs)
        return plans

    def _key(self, project: str, xml: str, backend: str | None) -> PlanKey:
        key = self.projects.plan_key(project, xml, backend)
        examples = self._examples.known(project, xml)
        return key if examples is None else key._replace(examples=examples)

    def all_plans(self) -> list[tuple[PlanKey, Plans]]:
        """Return the plans that were used last, the newest last."""
        return self._plans.items()

    def _plans_of(self, key: PlanKey) -> Plans:
        plans = self._plans.get(key)
        if plans is None:
            plans = self._plans.put(key, self._make(key), len(key.xml))
        return plans

    def _make(self, key: PlanKey) -> Plans:
        """Plan a label config; own weights that nothing there can use leave their tag to others."""
        config = LabelConfig.parse(key.xml)
        own = dict(key.own.weights) if key.own is not None else {}
        plans = self._plan(key, config, own)
        used = {step.spec.model for step in plans[0].steps if step.spec.trained_version}
        usable = {name: weights for name, weights in own.items() if str(weights.folder) in used}
        if len(usable) < len(own):
            plans = self._plan(key, config, usable)
        return plans

    def _plan(self, key: PlanKey, config: LabelConfig, own: dict[str, TrainedWeights]) -> Plans:
        named = [key.backend] if key.backend else self._named
        classes = [cls for cls in self._classes if key.backend in (None, cls.name)]
        return tuple(self._planner.plan_all(config, classes, named, own, key.examples))

    # For swaps

    def prepare(self, keys: Sequence[PlanKey]) -> dict[VersionName, str]:
        failures: dict[VersionName, str] = {}
        for key in keys:
            try:
                plans = self._plans_of(key)
            except ConfigError:  # what was asked with it was refused for this
                continue
            for step in plans[0].steps:
                try:
                    self._models.get_or_load(step.backend, step.spec)
                except ModelError as error:
                    failures |= _versions_of(step.spec, key.own, str(error))
        return failures

    def find_failures(self, own: OwnModels) -> dict[VersionName, str]:
        failures: dict[VersionName, str] = {}
        for key, plans in self._plans.items():
            if key.own == own:
                for spec in _specs(plans):
                    if spec.trained_version and (error := self._models.load_error(spec)):
                        failures |= _versions_of(spec, own, error)
        return failures

    def retire(self, keys: Sequence[PlanKey]) -> None:
        for key in keys:
            self._retired.update(_specs(self._plans.pop(key) or ()))

    def unload_unused(self, current: Container[OwnModels]) -> None:
        if self._retired:
            needed = {spec for _, plans in self._plans.items() for spec in _specs(plans)}
            needed |= self._default_specs()
            self._retired = set(self._models.unload(self._retired - needed))
        self.retire([key for key, _ in self._plans.items() if key.own and key.own not in current])

    def _default_specs(self) -> set[ModelSpec]:
        """Return the models that are loaded at the start, and stay."""
        return {spec for cls in self._classes for spec in cls(served=True).default_specs()}


def _specs(plans: Plans) -> list[ModelSpec]:
    return [step.spec for plan in plans for step in plan.steps]


def _versions_of(spec: ModelSpec, own: OwnModels | None, error: str) -> dict[VersionName, str]:
    """Return the error of a model by the control tags whose own weights it has."""
    weights = own.weights if own is not None else ()
    return {
        VersionName(name, one.version): error
        for name, one in weights
        if str(one.folder) == spec.model
    }

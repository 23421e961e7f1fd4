"""Answers requests with backends: plans of a label config, predictions, one response a task."""

import importlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import tee
from types import MappingProxyType
from typing import Any

from shared import __version__
from shared.backend.annotated_examples import ATTRIBUTE
from shared.backend.base import Backend
from shared.backend.claim import ModelSpec
from shared.backend.registry import split_available
from shared.backend.token_counts import predicting_for
from shared.errors import ModelError
from shared.media.image import readable_formats
from shared.pipeline.multi_model import PredictionJson, predict_all
from shared.pipeline.plan import LOADING_SUFFIX, NO_VERSION, PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runtime import Runtime, runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.connection_parameters import ParameterNotice
from shared.server.handover import Handover
from shared.server.http_messages import PredictRequest, SetupRequest, WebhookRequest
from shared.server.lasting_objects import lasting_objects
from shared.server.plan_store import Plans, PlanStore
from shared.server.service import (
    MAX_INLINE_BODY_BYTES,
    MAX_INLINE_TASKS,
    MAX_INLINE_VARIABLES,
    PredictionService,
)
from shared.server.status import (
    Readiness,
    check_readiness,
    report_failures,
    report_models,
    report_plan,
    report_tokens,
)
from shared.server.training_triggers import TrainingTriggers

logger = logging.getLogger(__name__)

# Seconds that /setup waits for the hash of weights; Label Studio's health check allows 1.
VERSION_WAIT_SECONDS = 0.25


class BackendService(PredictionService):
    """Serves backends, and keeps the plans of the label configs that were used last.

    `named` are the backends that were named to serve, `faults` those that could not be found at
    all, with the reason.
    """

    def __init__(
        self,
        classes: Sequence[type[Backend]],
        named: Sequence[str] = (),
        faults: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._classes, self.problems = split_available(classes)
        self._named = tuple(named)
        self._parameters = ParameterNotice()
        self._is_starting = True
        self._importing: set[str] = set()
        self._lock = threading.Lock()
        self._known_plans: PlanStore | None = None
        self._known_training: tuple[PlanStore, TrainingTriggers] | None = None
        for problem in self.problems.values():
            logger.warning("%s", problem)
        self.problems |= faults
        for cls in self._classes:
            if cls.name in self._named and (reason := cls.idle_reason()) is not None:
                logger.warning("%s", reason)

    @property
    def _plans(self) -> PlanStore:
        """The plans of this process, made anew after a fork or a reset of its runtime."""
        known = self._known_plans
        if known is None or not known.is_current:
            with self._lock:
                known = self._known_plans
                if known is None or not known.is_current:
                    known = PlanStore(self._classes, self._named, runtime())
                    self._known_plans = known
        return known

    @property
    def _runtime(self) -> Runtime:
        """The runtime of this process."""
        return self._plans.runtime

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(cls.name for cls in self._classes))

    def answers_inline(self, request: PredictRequest, body_bytes: int, backend: str | None) -> bool:
        """Whether these are a few small tasks for models that are loaded and need no queue.

        The event loop waits for the answer: it must not wait for a model to load.
        """
        plans = self._plans.get(request.project_key, request.label_config, backend) or ()
        return (
            body_bytes <= MAX_INLINE_BODY_BYTES
            and len(request.tasks) <= MAX_INLINE_TASKS
            and request.label_config.count("$") <= MAX_INLINE_VARIABLES
            and ATTRIBUTE not in request.label_config  # Label Studio is asked for examples
            and len(plans) == 1
            and plans[0].is_inline
            and all(self._runtime.models.get(step.spec) is not None for step in plans[0].steps)
        )

    def predict(
        self, request: PredictRequest, backend: str | None, scope: RequestScope
    ) -> list[PredictionJson]:
        """Return one response a task: `[]` for one that failed; for the editor, an empty result."""
        context = request.context
        # The streams are closed whatever is raised: until then they keep models and queued tasks,
        # and the garbage collector may come late.
        project, xml = request.project_key, request.label_config
        handover = Handover(None if request.interactive else self.training.background, project)
        handover.backend = backend
        with predicting_for(project), scope.hold_slot(), ExitStack() as streams:
            self._plans.refresh_examples(project, xml, scope, again=context is None)
            plans = self._plans.pin(project, xml, backend, scope, streams)

            def run_plan(plan: PredictionPlan, tasks: Iterable[Any]) -> Iterator[TaskOutcome]:
                tasks, sent = tee(tasks)
                outcomes = self._runtime.pipeline.run(plan, tasks, context, scope)
                return handover.note_late(sent, streams.enter_context(closing(outcomes)))

            tasks = handover.choose(request.tasks)
            if context is None and len(plans) > 1:
                return handover.answer(predict_all(plans, tasks, run_plan))
            outcomes = list(run_plan(plans[0], tasks))  # the editor reads one prediction
            for task, outcome in zip(tasks, outcomes, strict=True):
                if context is not None and outcome.is_unfinished:
                    self.training.background.finish_drawn(project, task, context, backend)
            return handover.answer([one.to_response(context is not None) for one in outcomes])

    def predicts(self, request: PredictRequest, backend: str | None) -> bool:
        plans = self._plans.get(request.project_key, request.label_config, backend) or ()
        answers_only_drawn = bool(plans) and all(plan.answers_only_drawn for plan in plans)
        return request.context is not None or not answers_only_drawn

    def plans_for(self, xml: str, backend: str | None = None, project: str = "") -> Plans:
        """Return how a label config is filled, by all backends or one: a plan a prediction.

        `project` is the project's key; without it, no project's own models take part. ConfigError
        if the label config cannot be parsed.
        """
        return self._plans.make(project, xml, backend)

    def known_version(self, xml: str, project: str, backend: str | None) -> str | None:
        """Return the version of a label config with known plans, if its weights are known."""
        plans = self._plans.get(project, xml, backend)
        version = _last_version(plans) if plans is not None else LOADING_SUFFIX
        return None if LOADING_SUFFIX in version else version

    def version(self, xml: str, project: str = "", backend: str | None = None) -> str:
        """Return the model version for a label config; soon, even while weights are fetched."""
        plans = self.plans_for(xml, backend, project)
        version = _last_version(plans)
        if LOADING_SUFFIX in version:
            hashing = threading.Thread(target=_last_version, args=(plans, True), daemon=True)
            hashing.start()
            hashing.join(VERSION_WAIT_SECONDS)
            version = _last_version(plans)
        return version

    def versions(self) -> list[str]:
        """Return the versions of the label configs that were used last, the newest first."""
        plans = [plan for _, plans in self._plans.all_plans() for plan in plans]
        return list(dict.fromkeys(plan.version() for plan in reversed(plans)))

    def take_parameters(self, request: SetupRequest) -> None:
        """Say which variables to set instead: no project chooses the server or the key."""
        self._parameters.tell(request.project_key, request.extra_params)

    @property
    def training(self) -> TrainingTriggers:
        """What starts trainings, with the backends that serve here."""
        plans = self._plans
        known = self._known_training
        if known is None or known[0] is not plans:
            with self._lock:
                known = self._known_training
                if known is None or known[0] is not plans:
                    # Where none was named, those that are installed serve as they do here.
                    names = map(_full_name, self._classes if self._named else ())
                    served = {"backends": tuple(dict.fromkeys(names))}
                    settings = plans.runtime.settings.model_copy(update=served)
                    known = (
                        plans,
                        TrainingTriggers(settings, self._classes, plans.projects.notice_changes),
                    )
                    self._known_training = known
        return known[1]

    def handle_event(self, request: WebhookRequest) -> str:
        """Train the project, or count its changed annotations; in a thread, see `training`."""
        return self.training.handle_event(request)

    def warm_up(self) -> None:
        """Load the models that depend on no label config, one after the other.

        The hashes of all come first: /setup asks for the version while the first one loads. What
        only other models need is imported with the first of them.
        """
        self.training.background.warn()
        models = self._runtime.models
        try:
            defaults = [
                (cls(served=True), spec)
                for cls in self._started_classes()
                for spec in self._default_specs(cls)
            ]
            with lasting_objects():
                for step in (models.weights_hash, self._import_modules, models.get_or_load):
                    for backend, spec in defaults:
                        with suppress(ModelError):  # /ready and /status say so
                            step(backend, spec)
        finally:
            self._is_starting = False

    @property
    def is_starting(self) -> bool:
        return self._is_starting

    def _import_modules(self, backend: Backend, spec: ModelSpec) -> None:
        """Import what loading a model needs; a fault of that is the model's."""
        self._importing.add(spec.label)
        try:
            type(backend).import_modules()
            if not backend.inline:  # others seldom need it: the texts of tasks are in the tasks
                importlib.import_module("shared.media.download")
            if any(object_tag == "Image" for _, object_tag in backend.fills):
                readable_formats()
        except (Exception, SystemExit) as error:  # a library may raise anything
            logger.warning("%s: %s: %s", spec.label, type(error).__name__, error)
        finally:
            self._importing.remove(spec.label)

    def readiness(self) -> Readiness:
        """Return what is not ready of the models that load at the start or were asked for since."""
        starting = [
            spec.label for cls in self._started_classes() for spec in self._default_specs(cls)
        ]
        unavailable = {name: why for name, why in self.problems.items() if name in self._named}
        found = check_readiness(starting, unavailable)
        return found.with_state(self._importing, "importing")

    def status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "backends": self.names,
            "problems": self.problems,
            "models": report_models(),
            "label_configs": [
                report_plan(plan, key.own.project if key.own else None)
                for key, plans in self._plans.all_plans()
                for plan in plans
            ],
            "projects": self._plans.projects.report(),
            "training": self.training.report(),
            "background": self.training.background.report(),
            "tokens": report_tokens(),
            "failures": report_failures(),
        }

    def _started_classes(self) -> list[type[Backend]]:
        """Return the backends whose models load at the start."""
        return [cls for cls in self._classes if not cls.opt_in or cls.name in self._named]

    def _default_specs(self, cls: type[Backend]) -> Sequence[ModelSpec]:
        """Return what a backend loads at the start; nothing if it cannot tell, which is told."""
        try:
            return tuple(cls(served=True).default_specs())
        except Exception as error:  # a backend of other people may raise anything
            if cls.name not in self.problems:
                logger.exception("%s cannot tell which models load at the start", cls.name)
                words = f"{type(error).__name__} in its default_specs"
                self.problems[cls.name] = f"{cls.name}: {words}: the log says more"
            return ()


def _full_name(cls: type[Backend]) -> str:
    """Return the name by which a backend is chosen, with its model where it was named with one."""
    return f"{cls.name}:{cls.model_name}" if cls.model_name else cls.name


def _last_version(plans: Sequence[PredictionPlan], wait: bool = False) -> str:
    """Return what /setup answers: Label Studio skips tasks with a prediction of this version."""
    versions = [plan.version(wait) for plan in plans]
    return next((version for version in reversed(versions) if version != NO_VERSION), NO_VERSION)

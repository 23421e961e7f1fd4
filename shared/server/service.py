"""Answers requests, free of HTTP: plans of a label config, predictions, one response a task."""

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from types import MappingProxyType
from typing import Any, Protocol

from shared import __version__
from shared.backend.base import Backend
from shared.backend.registry import split_available
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.text_cache import TextCache
from shared.pipeline.multi_model import PredictionJson, predict_all
from shared.pipeline.plan import LOADING_SUFFIX, NO_VERSION, PredictionPlan
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runtime import Runtime, runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.http_messages import PredictRequest, WebhookRequest
from shared.server.status import (
    Readiness,
    check_readiness,
    report_failures,
    report_models,
    report_plan,
)

logger = logging.getLogger(__name__)

# What the event loop parses and answers itself, where the models allow it. Above any of these it
# would take so long that health checks wait: bytes of the body, tasks, and variables ("$") of the
# label config, each of which is read from every task.
MAX_INLINE_BODY_BYTES = 16_384
MAX_INLINE_TASKS = 16
MAX_INLINE_VARIABLES = 32
# Seconds that /setup waits for the hash of weights; Label Studio's health check allows 1.
VERSION_WAIT_SECONDS = 0.25


class PredictionService(Protocol):
    """What answers the endpoints: our backends, or a third-party model.

    `backend` is the one that the path of the request names, if any.
    """

    @property
    def names(self) -> list[str]:
        """The backends that serve, each also under a path of its name."""

    def answers_inline(self, request: PredictRequest, body_bytes: int, backend: str | None) -> bool:
        """Whether `predict` takes less time than handing the request to a thread would."""
        return False

    def predict(
        self, request: PredictRequest, backend: str | None, scope: RequestScope
    ) -> list[PredictionJson]:
        """Return one response a task, in order; ClientGoneError if the client has left."""

    def known_version(self, xml: str, backend: str | None) -> str | None:
        """Return the model version for a label config; None if finding it may take time."""
        return None

    def version(self, xml: str, project: str, backend: str | None) -> str:
        """Return the model version for a label config, within half a second."""

    def versions(self) -> list[str]:
        """Return the model versions in use."""

    def handle_event(self, request: WebhookRequest) -> str:
        """Handle an event of a project; return what is done about it, in one word."""
        return "ignored"

    def warm_up(self) -> None:
        """Load what can be loaded; called once, in a thread of its own."""

    def readiness(self) -> Readiness:
        """Return what is not ready, and why."""
        return Readiness()

    def status(self) -> dict[str, Any]:
        """Return everything an operator may want to know."""


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
        self._known_runtime: Runtime | None = None
        self._plans: TextCache[tuple[str, str | None], tuple[PredictionPlan, ...]] = TextCache()
        for problem in self.problems.values():
            logger.warning("%s", problem)
        self.problems |= faults

    @property
    def _runtime(self) -> Runtime:
        """The runtime of this process, looked up again after a fork or a reset."""
        known = self._known_runtime
        if known is None or known.is_closed or known.pid != os.getpid():
            known = self._known_runtime = runtime()
            self._plans = TextCache()  # those of before hold the models of the other runtime
        return known

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(cls.name for cls in self._classes))

    def answers_inline(self, request: PredictRequest, body_bytes: int, backend: str | None) -> bool:
        """Whether these are a few small tasks for models that are loaded and need no queue.

        The event loop waits for the answer: it must not wait for a model to load.
        """
        plans = self._plans.get((request.label_config, backend)) or ()
        return (
            body_bytes <= MAX_INLINE_BODY_BYTES
            and len(request.tasks) <= MAX_INLINE_TASKS
            and request.label_config.count("$") <= MAX_INLINE_VARIABLES
            and len(plans) == 1
            and plans[0].is_inline
            and all(self._runtime.models.get(step.spec) is not None for step in plans[0].steps)
        )

    def predict(
        self, request: PredictRequest, backend: str | None, scope: RequestScope
    ) -> list[PredictionJson]:
        """Return one response a task: `[]` for one that failed; for the editor, an empty result."""
        plans = self.plans_for(request.label_config, backend)
        context = request.context
        # The streams are closed whatever is raised: until then they keep models and queued tasks,
        # and the garbage collector may come late.
        with scope.hold_slot(), ExitStack() as streams:

            def run_plan(plan: PredictionPlan, tasks: Iterable[Any]) -> Iterator[TaskOutcome]:
                outcomes = self._runtime.pipeline.run(plan, tasks, context, scope)
                return streams.enter_context(closing(outcomes))

            if context is None and len(plans) > 1:
                return predict_all(plans, request.tasks, run_plan)
            outcomes = run_plan(plans[0], request.tasks)  # the editor reads one prediction
            return [outcome.to_response(interactive=context is not None) for outcome in outcomes]

    def plans_for(self, xml: str, backend: str | None = None) -> tuple[PredictionPlan, ...]:
        """Return how a label config is filled, by all backends or one: a plan a prediction.

        ConfigError if the label config cannot be parsed.
        """
        planner = self._runtime.planner
        plans = self._plans.get((xml, backend))
        if plans is None:
            config = LabelConfig.parse(xml)
            named = [backend] if backend else self._named
            classes = [cls for cls in self._classes if backend in (None, cls.name)]
            plans = tuple(planner.plan_all(config, classes, named))
            self._plans.put((xml, backend), plans, len(xml))
        return plans

    def known_version(self, xml: str, backend: str | None) -> str | None:
        """Return the version of a label config with known plans, if its weights are known."""
        plans = self._plans.get((xml, backend))
        version = _last_version(plans) if plans is not None else LOADING_SUFFIX
        return None if LOADING_SUFFIX in version else version

    def version(self, xml: str, project: str = "", backend: str | None = None) -> str:
        """Return the model version for a label config; soon, even while weights are fetched."""
        plans = self.plans_for(xml, backend)
        version = _last_version(plans)
        if LOADING_SUFFIX in version:
            hashing = threading.Thread(target=_last_version, args=(plans, True), daemon=True)
            hashing.start()
            hashing.join(VERSION_WAIT_SECONDS)
            version = _last_version(plans)
        return version

    def versions(self) -> list[str]:
        """Return the versions of the label configs that were used last, the newest first."""
        return list(dict.fromkeys(plan.version() for plan in reversed(self._all_plans())))

    def warm_up(self) -> None:
        """Load the models that depend on no label config, one after the other.

        The hashes of all come first: /setup asks for the version while the first one loads.
        """
        models = self._runtime.models
        backends = [cls(served=True) for cls in self._started_classes()]
        for step in (models.weights_hash, models.get_or_load):
            for backend in backends:
                for spec in backend.default_specs():
                    try:
                        step(backend, spec)
                    except ModelError:  # /ready and /status say so
                        continue

    def readiness(self) -> Readiness:
        """Return what is not ready of the models that load at the start or were asked for since."""
        unavailable = {name: why for name, why in self.problems.items() if name in self._named}
        return check_readiness(self._started_classes(), unavailable)

    def status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "backends": self.names,
            "problems": self.problems,
            "models": report_models(),
            "label_configs": [report_plan(plan) for plan in self._all_plans()],
            "failures": report_failures(),
        }

    def _started_classes(self) -> list[type[Backend]]:
        """Return the backends whose models load at the start."""
        return [cls for cls in self._classes if not cls.opt_in or cls.name in self._named]

    def _all_plans(self) -> list[PredictionPlan]:
        return [plan for plans in self._plans.values() for plan in plans]


def _last_version(plans: Sequence[PredictionPlan], wait: bool = False) -> str:
    """Return what /setup answers: Label Studio skips tasks with a prediction of this version."""
    versions = [plan.version(wait) for plan in plans]
    return next((version for version in reversed(versions) if version != NO_VERSION), NO_VERSION)

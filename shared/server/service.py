"""What the server does with a request, free of HTTP: routes by label config, status, warm-up."""

import hashlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
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
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.messages import PredictRequest, WebhookRequest

logger = logging.getLogger(__name__)

# What the event loop parses and answers itself, where the models allow it. Above any of these it
# would take so long that health checks wait: bytes of the body, tasks, and variables ("$") of the
# label config, each of which is read from every task.
MAX_INLINE_BODY_BYTES = 16_384
MAX_INLINE_TASKS = 16
MAX_INLINE_VARIABLES = 32
# Seconds that /setup waits for the hash of weights; Label Studio's health check allows 1.
VERSION_WAIT_SECONDS = 0.25


@dataclass(frozen=True)
class Readiness:
    """Models that are on their way, with their state; and those that failed, with the reason."""

    waiting: Mapping[str, str]
    failed: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """Whether everything can be answered."""
        return not self.waiting and not self.failed


class PredictionService(Protocol):
    """What stands behind the routes: our backends, or somebody else's model."""

    @property
    def names(self) -> list[str]:
        """The backends that serve, each also under a path of its name."""

    def predict(
        self, request: PredictRequest, only: str | None, waiting: RequestScope
    ) -> list[PredictionJson]:
        """One answer a task, in order; ClientGoneError if there is nobody to answer."""

    def answers_inline(self, request: PredictRequest, body_bytes: int, only: str | None) -> bool:
        """Whether `predict` takes less time than handing the request to a thread would."""

    def known_version(self, xml: str, only: str | None) -> str | None:
        """The model version for a label config, if it can be said at once."""

    def version(self, xml: str, project: str, only: str | None) -> str:
        """The model version for a label config, within half a second."""

    def handle_event(self, request: WebhookRequest) -> str:
        """Handle an event of a project; return what is done about it, in one word."""

    def versions(self) -> list[str]:
        """The model versions in use."""

    def warm_up(self) -> None:
        """Load what can be loaded; called once, in a thread of its own."""

    def readiness(self) -> "Readiness":
        """What is not ready, and why."""

    def status(self) -> dict[str, Any]:
        """Everything an operator may want to know."""


class BackendService:
    """The chosen backends, and the route of each label config seen."""

    def __init__(
        self,
        classes: Sequence[type[Backend]],
        named: Sequence[str] = (),
        faults: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`faults` are the backends that could not even be found, with what is wrong."""
        self._classes, self.problems = split_available(classes)
        self._named = tuple(named)
        self._routes: TextCache[tuple[str, str | None], tuple[PredictionPlan, ...]] = TextCache()
        for problem in self.problems.values():
            logger.warning("%s", problem)
        self.problems |= faults

    @property
    def names(self) -> list[str]:
        """The backends that serve."""
        return list(dict.fromkeys(cls.name for cls in self._classes))

    def routes(self, xml: str, only: str | None = None) -> tuple[PredictionPlan, ...]:
        """How a label config is filled, by all backends or one: a route for each prediction.

        ConfigError if the label config is unreadable.
        """
        key = xml, only
        known = self._routes.get(key)
        if known is not None:
            return known
        config = LabelConfig.parse(xml)
        named = [only] if only else self._named
        classes = [cls for cls in self._classes if only is None or cls.name == only]
        plans = runtime().planner.plan_all(config, classes, named)
        return self._routes.put(key, tuple(plans), len(xml))

    def answers_inline(self, request: PredictRequest, body_bytes: int, only: str | None) -> bool:
        """Whether these are a few small tasks for models that are loaded and need no queue.

        The event loop waits for the answer: it must not wait for a model to load.
        """
        routes = self._routes.get((request.label_config, only)) or ()
        return (
            body_bytes <= MAX_INLINE_BODY_BYTES
            and len(request.tasks) <= MAX_INLINE_TASKS
            and request.label_config.count("$") <= MAX_INLINE_VARIABLES
            and len(routes) == 1
            and routes[0].is_inline
            and all(runtime().models.get(s.claims[0].spec) is not None for s in routes[0].steps)
        )

    def predict(
        self, request: PredictRequest, only: str | None, waiting: RequestScope
    ) -> list[PredictionJson]:
        """One answer a task, in order: `[]` (interactive: an empty result) for one that failed."""
        routes, context = self.routes(request.label_config, only), request.context
        # Whatever is raised closes all streams, and gives the hand back: not the garbage collector.
        with waiting.hold_slot(), ExitStack() as streams:

            def run(route: PredictionPlan, tasks: Iterable[Any]) -> Iterator[TaskOutcome]:
                outcomes = runtime().pipeline.run(route, tasks, context, waiting)
                return streams.enter_context(closing(outcomes))

            if context is None and len(routes) > 1:
                return predict_all(routes, request.tasks, run)
            outcomes = run(routes[0], request.tasks)  # the editor reads one answer
            return [outcome.to_response(interactive=context is not None) for outcome in outcomes]

    def known_version(self, xml: str, only: str | None) -> str | None:
        """The version of a label config that was asked for before, if its weights are known."""
        routes = self._routes.get((xml, only))
        version = _last_version(routes) if routes is not None else LOADING_SUFFIX
        return None if LOADING_SUFFIX in version else version

    def version(self, xml: str, project: str = "", only: str | None = None) -> str:
        """The model version for a label config; soon, even while weights are fetched."""
        routes = self.routes(xml, only)
        version = _last_version(routes)
        if LOADING_SUFFIX in version:
            finder = threading.Thread(target=_last_version, args=(routes, True), daemon=True)
            finder.start()
            finder.join(VERSION_WAIT_SECONDS)
            version = _last_version(routes)
        return version

    def handle_event(self, request: WebhookRequest) -> str:
        """Ignore it: our backends do not train."""
        return "ignored"

    def versions(self) -> list[str]:
        """Of the label configs seen, the newest first."""
        routes = [route for found in self._routes.values() for route in found]
        return list(dict.fromkeys(route.version() for route in reversed(routes)))

    def warm_up(self) -> None:
        """Load the models that need no label config to be known, one after the other.

        First the hashes of all: /setup is asked for the version while the first one loads.
        """
        backends = [
            cls(served=True) for cls in self._classes if not cls.opt_in or cls.name in self._named
        ]
        models = runtime().models
        for step in (models.weights_hash, models.get_or_load):
            for backend in backends:
                for spec in backend.default_specs():
                    try:
                        step(backend, spec)
                    except ModelError:
                        continue

    def readiness(self) -> Readiness:
        """Of the models that are loaded at the start or were asked for since."""
        slots = runtime().models.all_models()
        waiting = {
            spec.label: "waiting"
            for cls in self._classes
            if not cls.opt_in or cls.name in self._named
            for spec in cls(served=True).default_specs()
        }
        waiting |= {
            slot.spec.label: slot.state
            for slot in slots
            if slot.state != "waiting"  # known to /setup, and loaded when tasks come
        }
        failed = {slot.spec.label: slot.error for slot in slots if slot.error is not None}
        failed |= {name: why for name, why in self.problems.items() if name in self._named}
        waiting = {
            name: state
            for name, state in waiting.items()
            if state not in {"loaded", "unloaded"} and name not in failed
        }
        return Readiness(waiting, failed)

    def status(self) -> dict[str, Any]:
        """Everything an operator may want to know."""
        models = [
            {
                "model": slot.spec.label,
                "state": slot.state,
                "seconds": round(slot.load_seconds, 2),
                "error": slot.error,
                "memory": slot.memory_bytes,
                "waiting": len(slot.queue) if slot.queue is not None else 0,
            }
            for slot in runtime().models.all_models()
        ]
        routes = [route for found in self._routes.values() for route in found]
        return {
            "version": __version__,
            "backends": self.names,
            "problems": self.problems,
            "models": models,
            "label_configs": [_route_status(route) for route in routes],
            "failures": report_failures(),
        }


def _last_version(routes: Sequence[PredictionPlan], wait: bool = False) -> str:
    """What /setup answers: Label Studio leaves out tasks that have a prediction of this version."""
    versions = [route.version(wait) for route in routes]
    return next((version for version in reversed(versions) if version != NO_VERSION), NO_VERSION)


def report_failures() -> dict[str, Any]:
    """Return how many tasks and regions were lost, by backend and reason, and the last of them."""
    failures = runtime().failures
    counts = {f"{name}:{reason}": count for (name, reason), count in failures.counts().items()}
    return {"counts": counts, "recent": failures.recent()}


def _route_status(route: PredictionPlan) -> dict[str, Any]:
    return {
        "digest": hashlib.sha256(route.config.xml.encode()).hexdigest()[:12],
        "tags": route.config.describe(),
        "model_version": route.version(),
        "filled": route.filled_by(),
        "labels": [report for claim in route.all_claims() for report in claim.mapping_report()],
        "mappings": [
            found.to_json() for claim in route.all_claims() for found in claim.label_maps()
        ],
        "problems": list(route.problems),
    }

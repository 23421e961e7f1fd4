"""The models of their own that projects are served, and the swap to others.

`serving.json` of a project (see `VersionStore`) says which trained versions serve. A thread of each
process looks at it every POLL_SECONDS. The models of a new state are loaded beside those that
serve, and only then do requests get them: nobody waits for a swap.
"""

import logging
import threading
import time
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from shared.backend.annotated_examples import AnnotatedExamples
from shared.backend.training import TrainedWeights
from shared.errors import DeadlineError, SettingError
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.training.serving_choice import STORE_ERRORS, VersionName, choose_versions
from shared.training.version_store import VersionStore

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
# A version that could not be loaded, or whose weights are gone, is tried again after this long.
RETRY_SECONDS = 60.0
# How many projects are followed, and label configs of each: those that were used last.
MAX_PROJECTS, MAX_CONFIGS = 1000, 8
# How many projects' models are loaded at the same time.
SWAP_THREADS = 2
NEVER = float("inf")


class OwnModels(NamedTuple):
    """A project's own weights, with the name of the control tag of each."""

    project: str
    weights: tuple[tuple[str, TrainedWeights], ...]


class PlanKey(NamedTuple):
    """What plans are made for: a label config, the backend of the path, a project's own models.

    And `examples`, if the label config asks for what the project's annotators have drawn.
    """

    xml: str
    backend: str | None
    own: OwnModels | None = None
    examples: AnnotatedExamples | None = None


class PlanOwner(Protocol):
    """Makes plans and loads their models, as a swap asks for."""

    def prepare(self, keys: Sequence[PlanKey]) -> dict[VersionName, str]:
        """Make plans and load their models; return the versions that cannot be loaded, and why."""

    def find_failures(self, own: OwnModels) -> dict[VersionName, str]:
        """Return the versions in use that could not be loaded again, and why."""

    def retire(self, keys: Sequence[PlanKey]) -> None:
        """Forget plans that no request gets any more."""

    def unload_unused(self, current: Container[OwnModels]) -> None:
        """Forget plans with own models that are not current; unload models without a plan.

        A model that a request may be about to use is left to the next call.
        """


@dataclass(eq=False)
class ServedProject:
    """What one project is served in this process; `own` is replaced as a whole.

    `coming` are the models that are being loaded to take its place.
    `configs` are the keys of the plans that it was asked for, without own models. `ready` is there
    until the models that it had when it was first seen are loaded, or cannot be.
    """

    project: str
    own: OwnModels | None = None
    stamp: int = 0
    coming: OwnModels | None = None
    ready: "Future[None] | None" = None
    is_swapping: bool = False
    retry_at: float = NEVER
    last_used: float = 0.0
    problems: tuple[str, ...] = ()
    failures: dict[VersionName, str] = field(default_factory=dict)
    configs: dict[PlanKey, None] = field(default_factory=dict)

    def plan_keys(self, own: OwnModels | None) -> list[PlanKey]:
        """Return the keys of its plans if it were served these models."""
        return [config._replace(own=own) for config in list(self.configs)]

    def set_problems(self, problems: Iterable[str]) -> None:
        """Log what is wrong, once, and try again later."""
        found = tuple(problems)
        for problem in set(found).difference(self.problems):
            logger.error("project %s: %s", self.project, problem)
        self.problems = found
        self.retry_at = time.monotonic() + RETRY_SECONDS if found else NEVER


class ProjectModels:
    """Tells which models of its own a project is served now. One for each process.

    Its thread ends when `is_closed` says so.
    """

    def __init__(self, train_dir: Path, plans: PlanOwner, is_closed: Callable[[], bool]) -> None:
        self._store = VersionStore(train_dir)
        self._train_dir = train_dir
        self._plans = plans
        self._is_closed = is_closed
        self._projects: dict[str, ServedProject] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._swaps: ThreadPoolExecutor | None = None

    def plan_key(self, project: str, xml: str, backend: str | None) -> PlanKey:
        """Return the key of the plans that a project gets now, from memory.

        Only the first request of a project has it look for own models on the disk.
        """
        config = PlanKey(xml, backend)
        if not project:
            return config
        served = self._projects.get(project) or self._add(project)
        served.last_used = time.monotonic()
        if config not in served.configs:
            self._add_config(served, config)
        return config if served.own is None else config._replace(own=served.own)

    def wait_until_ready(self, project: str, scope: RequestScope) -> None:
        """Wait until the models that a project had when it was first seen are loaded.

        At its deadline the request goes on, and its tasks end in DeadlineError.
        """
        served = self._projects.get(project)
        ready = served.ready if served is not None else None
        if ready is not None:
            with suppress(DeadlineError):
                scope.wait_for(ready)

    def is_ready(self, project: str) -> bool:
        """Whether a request of a project need not wait for its models."""
        served = self._projects.get(project)
        return served is None or served.ready is None

    def uses(self, config: PlanKey) -> bool:
        """Whether a project without own models was asked with a label config."""
        return any(one.own is None and config in one.configs for one in self._all())

    def notice_changes(self) -> None:
        """Look at all projects now: a version was promoted or rolled back."""
        self._wake.set()

    def report(self) -> dict[str, dict[str, Any]]:
        """Return which versions projects are served here, and what is wrong with others."""
        return {
            one.project: {
                "serving": {name: own.version for name, own in one.own.weights} if one.own else {},
                "problems": list(one.problems),
            }
            for one in self._all()
            if one.own or one.problems
        }

    def _all(self) -> list[ServedProject]:
        with self._lock:
            return list(self._projects.values())

    # The first request of a project

    def _add(self, project: str) -> ServedProject:
        with self._lock:
            served = self._projects.get(project)
            if served is None:
                if len(self._projects) >= MAX_PROJECTS:
                    self._drop_unused()
                served = self._projects[project] = self._open(project)
            if self._swaps is None:
                self._start()
        return served

    def _open(self, project: str) -> ServedProject:
        served = ServedProject(project, last_used=time.monotonic())
        served.stamp = self._store.serving_stamp(project)
        if served.stamp:
            served.own = self._choose(served)
            served.ready = Future() if served.own else None
        return served

    def _drop_unused(self) -> None:
        """Forget half of the projects, those that were not used for longest."""
        old = sorted(self._projects.values(), key=lambda one: one.last_used)
        for one in old[: MAX_PROJECTS // 2]:
            del self._projects[one.project]

    def _add_config(self, served: ServedProject, config: PlanKey) -> None:
        with self._lock:
            served.configs = dict.fromkeys([*served.configs, config][-MAX_CONFIGS:])
        if served.ready is not None:
            self._submit(served)

    # The thread

    def _start(self) -> None:
        self._swaps = ThreadPoolExecutor(SWAP_THREADS, thread_name_prefix="swap models")
        threading.Thread(target=self._poll, name="project models", daemon=True).start()

    def _poll(self) -> None:
        while not self._is_closed():
            try:
                self._look_for_changes()
            except Exception:  # a thread that ended would never swap again
                logger.exception("Looking for trained versions failed; it goes on")
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _look_for_changes(self) -> None:
        for served in self._all():
            if self._needs_swap(served):
                self._submit(served)
        current = {own for one in self._all() for own in (one.own, one.coming) if own}
        self._plans.unload_unused(current)

    def _needs_swap(self, served: ServedProject) -> bool:
        if served.is_swapping or not served.configs:
            return False
        if served.own is not None and served.ready is None:
            served.failures |= (failures := self._plans.find_failures(served.own))
            if failures:
                return True
        is_due = time.monotonic() > served.retry_at
        return is_due or self._store.serving_stamp(served.project) != served.stamp

    def _submit(self, served: ServedProject) -> None:
        with self._lock:
            if served.is_swapping or self._swaps is None:
                return
            served.is_swapping = True
        self._swaps.submit(self._swap, served)

    # The swap

    def _swap(self, served: ServedProject) -> None:
        """Load what `serving.json` says now, and then let requests have it."""
        try:
            stamp, before = self._store.serving_stamp(served.project), served.own
            if stamp != served.stamp or time.monotonic() > served.retry_at:
                served.failures.clear()
            served.stamp = stamp
            own = self._load_own(served)
            if own != before:
                served.own = own
                logger.info("project %s is served by %s", served.project, _describe(own))
            if before is None and own is not None:
                keys = served.plan_keys(None)
                self._plans.retire([key for key in keys if not self.uses(key)])
        except Exception:  # whatever it is, the models of before go on serving
            logger.exception("project %s: its models could not be swapped", served.project)
            served.retry_at = time.monotonic() + RETRY_SECONDS
        finally:
            served.coming, served.is_swapping = None, False
            ready, served.ready = served.ready, None
            if ready is not None:
                ready.set_result(None)

    def _load_own(self, served: ServedProject) -> OwnModels | None:
        """Return the models that can serve, after they have been loaded."""
        while True:
            served.coming = own = self._choose(served)
            failures = self._plans.prepare(served.plan_keys(own))
            if not failures:
                return own
            served.failures |= failures

    def _choose(self, served: ServedProject) -> OwnModels | None:
        """Return what should serve a project, except for what could not be loaded."""
        try:
            if served.own is not None and not self._train_dir.is_dir():
                raise FileNotFoundError
            found = choose_versions(self._store, served.project, served.failures)
        except STORE_ERRORS as error:
            problem = f"{type(error).__name__} while reading which versions serve"
            if isinstance(error, SettingError):
                problem = str(error)
            served.set_problems([f"{problem}: {_describe(served.own)} goes on serving"])
            return served.own
        served.set_problems(found.problems)
        weights = tuple(sorted((one.control, one.weights) for one in found.versions))
        return OwnModels(served.project, weights) if weights else None


def _describe(own: OwnModels | None) -> str:
    if own is None:
        return "the base model"
    return ", ".join(f'{weights.version} of "{control}"' for control, weights in own.weights)

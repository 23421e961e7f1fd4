"""What starts trainings: the button of Label Studio, changed annotations, requests for a job.

All of it runs in threads of its own: Label Studio waits one second for its webhooks.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.backend.base import Backend
from shared.backend.registry import find_backend
from shared.errors import PrelabelError, SettingError
from shared.jobs.job import Job, JobError
from shared.jobs.job_store import JobStore
from shared.jobs.reconcile import reconcile
from shared.label_studio.project import find_project_key
from shared.label_studio.project_key import project_key, read_project_number
from shared.server.background_predictions import BackgroundPredictions
from shared.server.http_messages import WebhookRequest
from shared.settings import Settings
from shared.training.source import TrainingSource, missing_variables
from shared.training.start import KIND, start_training
from shared.training.update_counter import UpdateCounter
from shared.training.version_store import VersionStore

logger = logging.getLogger(__name__)

START_TRAINING = "START_TRAINING"
# The events of one annotation, and those of several, which they list.
SINGLE_EVENTS = frozenset({"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED"})
LIST_EVENTS = frozenset({"ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"})
# Threads that count and start; a project of which Label Studio is slow to tell holds up one.
THREADS = 2
IGNORED, QUEUED, COUNTED = "ignored", "training queued", "counted"
# Projects whose obstacle is kept for /status.
MAX_OBSTACLES = 1000


class TrainingTriggers:
    """Starts trainings of projects with the backends that serve, and tells how they went.

    `settings.backends` are the names of these backends, for the processes that train. `notice` is
    called when other versions are to serve. `background` starts the jobs that predict.
    """

    def __init__(
        self, settings: Settings, classes: Sequence[type[Backend]], notice: Callable[[], None]
    ) -> None:
        self.settings = settings
        self.store = JobStore(settings.train_dir)
        self.background = BackgroundPredictions(settings, classes)
        self._classes = classes
        self._notice = notice
        self._versions = VersionStore(settings.train_dir)
        self._counter = UpdateCounter(settings.train_dir)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="training")
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._obstacles: dict[str, str] = {}

    def obstacle(self) -> str | None:
        """Return what is missing to train any project, in one sentence, from memory."""
        trainable = self._trainable()
        if not trainable:
            names = ", ".join(cls.name for cls in self._classes) or "nothing"
            return f"nothing that serves here can be trained: {names}"
        if not any(find_backend(cls.name) in cls.__mro__ for cls in trainable):
            return f"{trainable[0].name} is served from a file: install it to have it trained"
        missing = missing_variables(self.settings)
        if missing:
            return (
                f"{' and '.join(missing)} must be set to train: annotations are read by Label"
                " Studio's API"
            )
        return None

    def _trainable(self) -> list[type[Backend]]:
        return [cls for cls in self._classes if cls.train is not Backend.train]

    def handle_event(self, event: WebhookRequest) -> str:
        """Take an event of a webhook; return what is done about it, without waiting for it."""
        changes = count_changes(event, self.settings.train_each_n_updates)
        if event.action != START_TRAINING and not changes:
            return IGNORED
        try:
            key = project_key(event.project or {})
        except PrelabelError as error:
            logger.warning("%s: no training: %s", event.action, error)
            return f"not started: {error}"
        obstacle = self.obstacle()
        if event.action != START_TRAINING:
            self._threads.submit(self._log_errors, key, lambda: self._count(key, changes))
            return COUNTED
        if obstacle is not None:
            self._keep_obstacle(key, obstacle)
            return f"not started: {obstacle}"
        self._start_later(key)
        return QUEUED

    def start(self, project: str, controls: Sequence[str] = ()) -> Job:
        """Start the training of a project, by its id or key; PrelabelError says what is missing.

        Asks Label Studio for the project, for seconds if it is slow.
        """
        number = read_project_number(project)
        obstacle = self.obstacle()
        if obstacle is not None:
            raise SettingError(obstacle)
        key = find_project_key(project, self.settings)
        job = start_training(self.settings, TrainingSource.of_project(number), key, controls)
        self._obstacles.pop(key, None)
        logger.info("project %s: job %s trains it", key, job.id)
        return job

    def promote(self, project: str, control: str, version: str) -> None:
        """Let a version serve, whatever its figures are; SettingError if there is none."""
        found = self._versions.find(project, control, version)
        if not found.weights.folder.is_dir():
            raise SettingError(f'{version} of "{control}" has no weights any more')
        self._versions.promote(found)
        self._notice()

    def roll_back(self, project: str, control: str) -> None:
        """Let the version serve that did before; SettingError if no trained one serves."""
        self._versions.roll_back(project, control)
        self._notice()

    def report(self) -> dict[str, Any]:
        """Return the last training of each project, and what is missing, for /status."""
        projects: dict[str, dict[str, Any]] = {}
        obstacle = self.obstacle()
        try:
            for job in self.store.list_jobs():
                if job.kind == KIND:
                    projects.setdefault(job.key, {})["last_job"] = _describe_job(job)
        except JobError as error:  # the rest of /status is worth telling all the same
            obstacle = str(error)
        limit = self.settings.train_each_n_updates
        for key, changes in self._counter.counts().items() if limit else ():
            projects.setdefault(key, {})["changes"] = changes
        for key, own_obstacle in list(self._obstacles.items()):
            projects.setdefault(key, {})["obstacle"] = own_obstacle
        return {
            "trainable": list(dict.fromkeys(cls.name for cls in self._trainable())),
            "obstacle": obstacle,
            "each_n_updates": limit,
            "projects": projects,
        }

    def reconcile(self) -> None:
        """Settle jobs whose process is gone; costs nothing where there never was one."""
        if self.store.path.is_dir():
            try:
                reconcile(self.settings)
            except (PrelabelError, OSError) as error:
                logger.warning("Jobs of TRAIN_DIR cannot be looked after: %s", error)

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start_later(self, key: str) -> None:
        """Start a training in a thread; further requests until it has begun are the same."""
        with self._lock:
            if key in self._asked:
                return
            self._asked.add(key)
        self._threads.submit(self._log_errors, key, lambda: self._start_asked(key))

    def _start_asked(self, key: str) -> None:
        with self._lock:
            self._asked.discard(key)
        self.start(key)

    def _count(self, key: str, changes: int) -> None:
        if self._counter.add(key, changes, self.settings.train_each_n_updates):
            self.start(key)

    def _log_errors(self, key: str, work: Callable[[], None]) -> None:
        """Do what nobody waits for; what is missing is logged and kept for /status."""
        try:
            work()
        except PrelabelError as error:
            self._keep_obstacle(key, str(error))
        except Exception as error:  # the border of the thread
            logger.exception("project %s: its training could not be started", key)
            self._obstacles[key] = f"{type(error).__name__} (the log has the details)"

    def _keep_obstacle(self, key: str, obstacle: str) -> None:
        logger.warning("project %s is not trained: %s", key, obstacle)
        if len(self._obstacles) > MAX_OBSTACLES:
            self._obstacles.clear()
        self._obstacles[key] = obstacle


def count_changes(event: WebhookRequest, limit: int) -> int:
    """Return how many annotations an event changes; 0 if they are not counted."""
    if not limit:
        return 0
    if event.action in SINGLE_EVENTS:
        return 1
    found = (event.model_extra or {}).get("annotations")
    if event.action in LIST_EVENTS and isinstance(found, list):
        return len(found)
    return 0


def _describe_job(job: Job) -> Mapping[str, Any]:
    wanted = ("id", "state", "created", "started", "finished", "progress", "message")
    described = job.to_json()
    return {name: described[name] for name in wanted if described.get(name)}

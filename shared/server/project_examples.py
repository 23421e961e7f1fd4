"""What annotators have drawn in projects whose label configs ask for it, read from Label Studio."""

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from cachetools import LRUCache

from shared.backend.annotated_examples import ATTRIBUTE, AnnotatedExamples, find_asking
from shared.errors import ConfigError, PrelabelError
from shared.evaluation.annotated_examples import project_examples
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.project import Project
from shared.label_studio.project_key import read_project_number
from shared.media.reader import MediaReader
from shared.settings import Settings
from shared.training.source import missing_variables

logger = logging.getLogger(__name__)

# What is drawn is looked up again with the first request after so many seconds.
REFRESH_SECONDS = 10.0
# Projects whose examples are kept, and how many are read at the same time.
MAX_PROJECTS, THREADS = 256, 2


class _Asked(NamedTuple):
    """A project, by its key, and the label config that asks for examples."""

    project: str
    xml: str


class _Known(NamedTuple):
    examples: AnnotatedExamples
    read_at: float

    @property
    def is_fresh(self) -> bool:
        """Whether they need not be read again. Who has just drawn the first one does not wait."""
        return bool(self.examples.tasks) and time.monotonic() - self.read_at < REFRESH_SECONDS


class ProjectExamples:
    """The examples of the projects that were asked for last. One for each process."""

    def __init__(self, settings: Settings, media: MediaReader) -> None:
        self._settings = settings
        self._media = media
        self._lock = threading.Lock()
        self._known: LRUCache[_Asked, _Known] = LRUCache(MAX_PROJECTS)
        self._pending: dict[_Asked, Future[None]] = {}
        # It starts its threads with the first project that asks.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="examples")

    def known(self, project: str, xml: str) -> AnnotatedExamples | None:
        """Return the examples of a project as they were last read; None if it asks for none."""
        if ATTRIBUTE not in xml:
            return None
        with self._lock:
            found = self._known.get(_Asked(project, xml))
        return None if found is None else found.examples

    def refresh(self, project: str, xml: str) -> "Future[None] | None":
        """Begin to read the examples of a project anew; None if there is nothing to wait for.

        Label Studio is asked at most every REFRESH_SECONDS, once there are some. While it does not
        answer, they stay what they were.
        """
        if ATTRIBUTE not in xml or not _asks(xml):
            return None
        asked = _Asked(project, xml)
        with self._lock:
            known = self._known.get(asked)
            if known is not None and known.is_fresh:
                return None
            if asked not in self._pending:
                before = None if known is None else known.examples
                self._pending[asked] = self._threads.submit(self._read, asked, before)
            return self._pending[asked]

    def _read(self, asked: _Asked, before: AnnotatedExamples | None) -> None:
        try:
            found = self._find(asked, before)
            with self._lock:
                self._known[asked] = _Known(found, time.monotonic())
        finally:
            with self._lock:
                del self._pending[asked]

    def _find(self, asked: _Asked, before: AnnotatedExamples | None) -> AnnotatedExamples:
        try:
            found = self._ask(asked)
        except PrelabelError as error:
            logger.warning(
                "project %s: its annotations cannot be read: %s", asked.project or "?", error
            )
            found = before or AnnotatedExamples.none(f"annotations cannot be read: {error}")
        if found != before:
            for note in found.notes:
                logger.warning("project %s: %s", asked.project or "?", note)
        return found

    def _ask(self, asked: _Asked) -> AnnotatedExamples:
        missing = missing_variables(self._settings)
        if missing:
            names = " and ".join(missing)
            return AnnotatedExamples.none(
                f"{names} must be set: annotations are read by Label Studio's API"
            )
        if not asked.project:
            return AnnotatedExamples.none("the request names no project")
        project = Project(read_project_number(asked.project), self._settings)
        try:
            if project.key != asked.project:
                return AnnotatedExamples.none(
                    f"LABEL_STUDIO_URL is another Label Studio than that of {asked.project}"
                )
            return project_examples(project, LabelConfig.parse(asked.xml), self._media)
        finally:
            project.close()


def _asks(xml: str) -> bool:
    try:
        return bool(find_asking(LabelConfig.parse(xml)))
    except ConfigError:  # which is said where the plan is made
        return False

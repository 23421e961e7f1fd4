"""Requests of the editor that ask for no regions: to prepare a task, or how far something is.

The editor of Label Studio Enterprise puts an `event` into the context of `/predict`; the protocol
is that of the official example segment_anything_video_interactive.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from shared.backend.claim import Claim
from shared.label_studio.task import Task

EVENT_KEY = "event"


class ModelRuns(Protocol):
    """Runs the models of a plan for an event."""

    def start(self, claim: Claim, item: Any) -> "Future[Any]":
        """Load the model of a claim if need be, and run it on an item, while nobody waits."""

    def wait_for(self, future: "Future[Any]") -> Any:
        """Return what a future holds; DeadlineError or ClientGoneError if it comes too late."""

    def pause(self, seconds: float) -> None:
        """Wait while others work; DeadlineError or ClientGoneError if the request is over."""


@dataclass(frozen=True, eq=False)
class EditorEvent:
    """An event: its `name`, what else the context has, and a backend's claims on the task."""

    name: str
    context: Mapping[str, Any]
    raw_task: Any
    claims: Sequence[Claim]
    models: ModelRuns

    @property
    def task(self) -> Task:
        """The task; TaskError if it is none. Some events are about no task."""
        return Task.parse(self.raw_task)

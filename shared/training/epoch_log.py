"""What a trainer reports after each epoch: to the job, to the version's curves, or as an error."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.backend.training import TrainingError

# Called with what the job's progress says; raises if the job was cancelled.
ReportProgress = Callable[..., None]


@dataclass
class EpochLog:
    """The `on_epoch` of a TrainingRun.

    `epochs` keeps what was reported. After `max_seconds` the trainer is asked to end; the time
    counts from the first batch of the first attempt.
    """

    report: ReportProgress
    control: str
    max_seconds: float
    clock: Callable[[], float] = time.monotonic
    epochs: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started = self._attempt_started = self.clock()

    def begin_attempt(self) -> None:
        """Forget the epochs of an attempt that failed."""
        self.epochs.clear()
        self._attempt_started = self.clock()

    @property
    def seconds(self) -> float:
        """How long the training has taken so far."""
        return self.clock() - self._started

    def __call__(self, epoch: int, epochs: int, metrics: Mapping[str, float]) -> bool:
        """Note an epoch; return whether there is time for more."""
        found = {name: float(value) for name, value in metrics.items()}
        loss = found.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"the loss of epoch {epoch} is not a number ({loss}): the training has failed; look"
                " for tasks whose annotations are wrong (prelabel evaluate --label-errors), and"
                " start it again"
            )
        finite = {name: value for name, value in found.items() if math.isfinite(value)}
        self.epochs.append({"epoch": epoch, **finite})
        left = self._seconds_left(epoch, epochs)
        self.report(**self._progress(epoch, epochs, finite), remaining_seconds=round(left))
        return self.seconds < self.max_seconds

    def _seconds_left(self, epoch: int, epochs: int) -> float:
        """Return for how long the epochs that are left will take, at most to the limit."""
        taken = self.clock() - self._attempt_started
        expected = taken / max(epoch, 1) * max(epochs - epoch, 0)
        return max(min(expected, self.max_seconds - self.seconds), 0.0)

    def _progress(self, epoch: int, epochs: int, metrics: Mapping[str, float]) -> dict[str, Any]:
        others = {name: value for name, value in metrics.items() if name != "loss"}
        loss = {"loss": metrics["loss"]} if "loss" in metrics else {}
        own = {"control": self.control, "stage": "train", "epoch": epoch, "epochs": epochs}
        return {**own, **loss, "metrics": others, "tasks": None}

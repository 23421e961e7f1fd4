"""The call of a backend's trainer: with smaller batches if need be, and its errors in sentences."""

import gc
import logging
import shutil
from dataclasses import dataclass, replace
from typing import Any

from shared.backend.base import Backend
from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.errors import PrelabelError
from shared.jobs.job_folder import DISK_FULL
from shared.training.epoch_log import EpochLog

logger = logging.getLogger(__name__)

# Batches become half as large after the memory was full, down to this share.
MIN_BATCH_SCALE = 1 / 8


@dataclass
class TrainerCall:
    """Calls a backend's `train`. `run` is the last one, with the batch size that sufficed."""

    backend: Backend
    run: TrainingRun
    log: EpochLog

    def train(self) -> None:
        """Train; with smaller batches if the memory does not suffice. TrainingError says why not.

        OSError if the disk is full.
        """
        while True:
            self.log.begin_attempt()
            try:
                self._call()
                return
            except TrainingMemoryError as error:
                self.run = replace(self.run, batch_scale=_smaller(self.run.batch_scale, error))
            shutil.rmtree(self.run.output)
            self.run.output.mkdir()
            gc.collect()

    def settings(self) -> dict[str, Any]:
        """Return what the trainer was told."""
        names = ("seed", "device", "threads", "batch_scale", "max_epochs")
        return {name: getattr(self.run, name) for name in names}

    def _call(self) -> None:
        """Call the backend. The one place where what it raises is caught."""
        try:
            self.backend.train(self.run)
        except PrelabelError:
            raise
        except MemoryError:
            raise TrainingMemoryError("the memory of this machine is used up") from None
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            raise self._unknown_failure(error) from None
        except Exception as error:  # a trainer may raise anything
            raise self._unknown_failure(error) from None
        if not any(path.is_file() for path in self.run.output.rglob("*")):
            raise TrainingError(f"{self.backend.name} has written no weights")

    def _unknown_failure(self, error: Exception) -> TrainingError:
        logger.error("Training with %s failed", self.backend.name, exc_info=error)
        name = type(error).__name__
        return TrainingError(f"{self.backend.name} failed with {name} (the log has the details)")


def _smaller(scale: float, error: TrainingMemoryError) -> float:
    """Return the next smaller share of the batch size; TrainingError if there is none."""
    if scale <= MIN_BATCH_SCALE:
        raise TrainingError(
            "the memory does not suffice, even with an eighth of the batch size: use a smaller"
            f" model or a machine with more memory ({error})"
        ) from None
    logger.warning("%s; again with %g of the batch size", error, scale / 2)
    return scale / 2

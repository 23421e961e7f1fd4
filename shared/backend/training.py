"""What a backend that can be trained gets: a dataset on disk, the model to go on from, a folder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import PrelabelError
from shared.label_studio.label_config import Control, LabelConfig


class TrainingError(PrelabelError):
    """A training cannot be done, or has failed; the message says why and what helps."""

    reason = "training"


class TrainingMemoryError(TrainingError):
    """The training ran out of memory: it is tried again with smaller batches."""


@dataclass(frozen=True)
class TrainedWeights:
    """A project's own weights for one control tag.

    - `backend`: the one that trained them, and that alone may load them
    - `folder`: the `output` of its TrainingRun
    - `version`: a name for model versions, such as `v3-1a2b3c4d`
    """

    backend: str
    folder: Path
    version: str


@dataclass(frozen=True)
class TrainingRun:
    """One training of one control tag.

    - `dataset`: the folder of the dataset, in the backend's `dataset_format`: learn from its part
      `train`, and choose the best epoch by `val`, which is empty only where no task can be spared;
      `test` is held out, for the comparison with the model that serves
    - `labels`: the labels to learn, as they stand in results
    - `base`: the weights to go on from: those that serve now, if they are a trained version;
      else None, and the backend chooses
    - `output`: an empty folder for the weights, from which `load` will read them; what is in a
      `trainer.json` there, a JSON object with settings of the trainer, moves into the version's
      `settings.json`, and its `library` and `base_model` into the model card
    - `threads`, `device`: what may be used ("cpu", "cuda:0")
    - `batch_scale`: 1, or a fraction after the process ran out of memory: multiply batches by it
    - `max_epochs`: 0 leaves it to the backend
    """

    config: LabelConfig
    control: Control
    labels: tuple[str, ...]
    dataset: Path
    base: Path | None
    output: Path
    threads: int = 1
    device: str = "cpu"
    batch_scale: float = 1.0
    max_epochs: int = 0
    seed: int = 0
    on_epoch: Callable[[int, int, dict[str, float]], bool] = field(
        default_factory=lambda: _go_on, repr=False
    )

    def report(self, epoch: int, epochs: int, **metrics: float) -> bool:
        """Report an epoch that is done (from 1), how many there will be, and its metrics.

        Returns whether to go on: False when TRAIN_MAX_MINUTES are over, and the best epoch so far
        is to be kept. Raises TrainingError if the training was cancelled, or if `loss` is not a
        finite number: let it pass.
        """
        return self.on_epoch(epoch, epochs, metrics)


def _go_on(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
    return True

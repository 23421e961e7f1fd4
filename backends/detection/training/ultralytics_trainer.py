"""Ultralytics' trainers, without what they do besides training.

They would check for updates, download fonts and a network for a test of half precision, send
usage, write pickles, and validate once more at the end.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from backends.detection.model.trained_network import head_name
from backends.detection.training.base_network import BaseNetwork
from backends.detection.training.picture_dataset import PictureDataset
from shared.settings import read_settings

# A last epoch that is worse than the best one by no more than this, in the trainer's fitness, is
# kept nevertheless: on few pictures that is noise, and later epochs have seen more.
NOISE = 0.02
Listener = Callable[[Any], None]


class TrackerSettings(BaseSettings):
    """The variables by which the trackers of trainings are switched on."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    mlflow: str = Field("", validation_alias="MLFLOW_TRACKING_URI")
    wb: str = Field("", validation_alias="WANDB_API_KEY")


class TrainingHooks:
    """What replaces parts of a trainer of Ultralytics: put before it among the bases of a class."""

    dataset: PictureDataset
    base: BaseNetwork
    listeners: Mapping[str, Sequence[Listener]]
    best_weights: Mapping[str, Any] | None = None
    last_weights: Mapping[str, Any] | None = None
    # Attributes of the trainer.
    ema: Any
    fitness: float
    best_fitness: float | None
    get_model: Any
    args: Any
    epoch: int
    epochs: int
    scheduler: Any
    _setup_scheduler: Callable[[], None]

    def get_dataset(self) -> dict[str, Any]:
        """Return the dataset without Ultralytics' checks, which download fonts."""
        return dict(self.dataset.data)

    def setup_model(self) -> None:
        """Build the network, with the weights of the base network that fit."""
        layers = dict(self.base.layers)
        if "kpt_shape" in self.dataset.data:
            layers["kpt_shape"] = self.dataset.data["kpt_shape"]
        self.model = self.get_model(cfg=layers, weights=self.base.network, verbose=False)

    def run_callbacks(self, event: str) -> None:
        """Call our listeners, and none of Ultralytics' own."""
        for listener in self.listeners.get(event, ()):
            listener(self)

    def save_model(self) -> bool:
        """Keep the averaged weights in memory: a checkpoint would be a pickle on disk."""
        state = self.ema.ema.state_dict()
        self.last_weights = {name: value.detach().cpu().clone() for name, value in state.items()}
        if self.fitness == self.best_fitness:
            self.best_weights = self.last_weights
        return True

    def shorten(self, epochs: int) -> None:
        """Plan with fewer epochs, towards which the learning rate falls."""
        self.epochs = self.args.epochs = epochs
        self.args.close_mosaic = min(self.args.close_mosaic, max(1, epochs // 5))
        self._setup_scheduler()
        self.scheduler.last_epoch = self.epoch

    def final_eval(self) -> None:
        """Leave out a last validation: each epoch had one."""

    def _handle_nan_recovery(self, epoch: int) -> bool:
        return False  # the report of the epoch ends the training

    @property
    def kept_weights(self) -> Mapping[str, Any]:
        """The weights of the best epoch, or of the last one if it is nearly as good."""
        is_good = self.best_fitness is None or self.fitness >= self.best_fitness - NOISE
        kept = self.last_weights if is_good else self.best_weights
        assert kept is not None, "no epoch is done"
        return kept


def create_trainer(
    dataset: PictureDataset, base: BaseNetwork, options: Mapping[str, Any], on_epoch: Listener
) -> Any:
    """Return the trainer of `options["task"]`, whose `train` calls `on_epoch` after each epoch."""
    listeners = {"on_fit_epoch_end": [on_epoch]}
    for module in _tracker_modules():
        for event, listener in module.callbacks.items():
            listeners.setdefault(event, []).append(listener)
    bases = TrainingHooks, _ultralytics_class(options["task"], base)
    members = {"dataset": dataset, "base": base, "listeners": listeners}
    return type("TrainerOfTag", bases, members)(overrides=dict(options))


def _ultralytics_class(task: str, base: BaseNetwork) -> Any:
    from ultralytics.models import rtdetr, yolo

    if head_name(base.layers) == "RTDETRDecoder":
        return rtdetr.RTDETRTrainer
    return {
        "detect": yolo.detect.DetectionTrainer,
        "segment": yolo.segment.SegmentationTrainer,
        "pose": yolo.pose.PoseTrainer,
        "obb": yolo.obb.OBBTrainer,
        "classify": yolo.classify.ClassificationTrainer,
    }[task]


def _tracker_modules() -> Sequence[Any]:
    chosen = read_settings(TrackerSettings)
    names = [name for name in TrackerSettings.model_fields if getattr(chosen, name)]
    return [import_module(f"ultralytics.utils.callbacks.{name}") for name in names]


@contextmanager
def quiet_ultralytics() -> Iterator[None]:
    """Silence Ultralytics' progress bars and tables, and stop it from reporting usage."""
    from ultralytics.utils import LOGGER
    from ultralytics.utils.events import events

    level, enabled = LOGGER.level, events.enabled
    LOGGER.setLevel(logging.WARNING)
    events.enabled = False
    try:
        yield
    finally:
        LOGGER.setLevel(level)
        events.enabled = enabled

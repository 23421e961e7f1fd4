"""One training of a network: from a dataset on disk to a file of weights."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends.detection.model.trained_network import (
    NetworkDescription,
    head_width,
    save_network,
)
from backends.detection.settings import DetectionSettings
from backends.detection.tags import tag_options
from backends.detection.training.base_network import BaseNetwork, choose_base
from backends.detection.training.network_task import network_task
from backends.detection.training.picture_dataset import PictureDataset, prepare_dataset
from backends.detection.training.recipe import (
    choose_batch,
    choose_epochs,
    fit_epochs,
    trainer_settings,
)
from backends.detection.training.ultralytics_trainer import create_trainer, quiet_ultralytics
from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.settings import Settings, restrain_libraries

logger = logging.getLogger(__name__)

# Names of metrics in our reports, by those of Ultralytics.
METRICS = {
    "metrics/mAP50(B)": "map50",
    "metrics/mAP50-95(B)": "map50_95",
    "metrics/mAP50(M)": "mask_map50",
    "metrics/mAP50(P)": "pose_map50",
    "metrics/accuracy_top1": "accuracy",
}
SETTINGS_FILE, HISTORY_FILE = "trainer.json", "results.csv"


def train_network(run: TrainingRun, settings: DetectionSettings, server: Settings) -> None:
    """Train a network for a control tag, and write it to `run.output`."""
    restrain_libraries()
    task = network_task(run.control)
    # Beside the output, so that a file system that can hold the weights holds this, too.
    with tempfile.TemporaryDirectory(prefix="trainer-", dir=run.output.parent) as name:
        dataset = prepare_dataset(run.dataset, task, run.labels, Path(name) / "dataset")
        base = choose_base(run, task, settings, server)
        options = _trainer_options(run, task, dataset, base, settings)
        logger.info(
            "%s: %s from %s, %d pictures of %d pixels, %d epochs",
            run.control,
            task,
            base.name,
            dataset.train_count,
            options["imgsz"],
            options["epochs"],
        )
        with quiet_ultralytics(), _memory_errors():
            report = _EpochReport(run, server.train_max_minutes * 60)
            trainer = create_trainer(dataset, base, {**options, "project": name}, report)
            _limit_threads(run)
            trainer.train()
        _write(run, trainer, dataset, options)


def _trainer_options(
    run: TrainingRun,
    task: str,
    dataset: PictureDataset,
    base: BaseNetwork,
    settings: DetectionSettings,
) -> Mapping[str, Any]:
    epochs = run.max_epochs or settings.train_epochs or choose_epochs(dataset.train_count)
    batch = choose_batch(dataset.train_count, run.batch_scale)
    return {
        **trainer_settings(task, epochs, batch),
        "task": task,
        "model": "network.yaml",
        "imgsz": tag_options.read_image_size(run.control, settings) or base.image_size,
        "seed": run.seed,
        "device": _device_name(run.device),
        "amp": _precision(run.device),
        "workers": 0,
        "plots": False,
        "verbose": False,
        "name": "run",
        "exist_ok": True,
    }


def _device_name(device: str) -> str:
    """Return the name that Ultralytics has for a device: "cpu", or the number of the GPU."""
    return "0" if device == "cuda" else device.removeprefix("cuda:")


def _precision(device: str) -> str | bool:
    """Return bf16 on a GPU that has it: the trainer would test fp16 with a network from the web."""
    if device == "cpu":
        return False
    import torch

    return "bf16" if torch.cuda.is_bf16_supported() else False


def _limit_threads(run: TrainingRun) -> None:
    """Bound PyTorch's threads; Ultralytics sets their number when it chooses a device."""
    import torch

    torch.set_num_threads(run.threads)


class _EpochReport:
    """Reports each epoch of a trainer, stops it where the run says so, and fits it into the time.

    The time of the first epoch, which prepares much, tells nothing of the others, unless it alone
    takes a tenth of what there is.
    """

    def __init__(self, run: TrainingRun, allowed_seconds: float) -> None:
        self._run, self._start = run, time.monotonic()
        self._allowed_seconds = allowed_seconds

    def __call__(self, trainer: Any) -> None:
        self._report(trainer)
        done, seconds = trainer.epoch + 1, time.monotonic() - self._start
        if done > 1 or seconds > self._allowed_seconds / 10:
            epochs = fit_epochs(trainer.epochs, done, seconds, self._allowed_seconds)
            if epochs < trainer.epochs:
                logger.info("%d epochs fit into TRAIN_MAX_MINUTES", epochs)
                trainer.shorten(epochs)
                trainer.stop |= done >= epochs

    def _report(self, trainer: Any) -> None:
        metrics = {
            ours: round(float(trainer.metrics[theirs]), 4)
            for theirs, ours in METRICS.items()
            if theirs in trainer.metrics
        }
        loss = sum(float(part) for part in trainer.tloss.values())
        if not self._run.report(trainer.epoch + 1, trainer.epochs, loss=loss, **metrics):
            trainer.stop = True


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise TrainingMemoryError where PyTorch or Python has no more memory."""
    try:
        yield
    except MemoryError as error:
        raise _memory_error() from error
    except RuntimeError as error:
        text = str(error).lower()
        if "out of memory" in text or "allocate memory" in text:
            raise _memory_error() from error
        raise TrainingError(f"Ultralytics' trainer failed: {error}") from error


def _memory_error() -> TrainingMemoryError:
    return TrainingMemoryError(
        "the training ran out of memory: a smaller image size (model_image_size or"
        " DETECTION_IMAGE_SIZE) or smaller weights need less"
    )


def _write(
    run: TrainingRun, trainer: Any, dataset: PictureDataset, options: Mapping[str, Any]
) -> None:
    network = trainer.ema.ema
    layers = {key: value for key, value in network.yaml.items() if key != "yaml_file"}
    description = NetworkDescription(
        options["task"],
        layers,
        dataset.class_names,
        int(trainer.args.imgsz),
        head_width(network),
        dataset.keypoint_names,
    )
    save_network(trainer.kept_weights, description, run.output)
    text = json.dumps({**options, "imgsz": trainer.args.imgsz}, indent=1)
    (run.output / SETTINGS_FILE).write_text(text + "\n", "utf-8")
    if trainer.csv.is_file():
        shutil.copyfile(trainer.csv, run.output / HISTORY_FILE)

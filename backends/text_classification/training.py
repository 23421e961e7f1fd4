"""Training of a text classifier: a linear head on a frozen encoder, or the whole network."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

from backends._transformers.fine_tuning import Metrics, prepared_torch
from backends._transformers.hub import TrainingBase
from backends._transformers.trainer_settings import write_trainer_settings
from backends._transformers.training_base import choose_base
from backends.text_classification.classified_texts import (
    ClassifiedTexts,
    check_enough,
    main_metric,
    read_classes,
)
from backends.text_classification.full_training import FullTraining
from backends.text_classification.linear_training import LinearTraining
from backends.text_classification.mean_head import MeanHead
from shared.backend.training import TrainingRun

Method = Literal["auto", "linear", "full"]
# The training and the validation part.
Parts = tuple[ClassifiedTexts, ClassifiedTexts]
# From so many texts on the whole network is trained as well, and the better one is kept.
FULL_TEXTS = 500


def train_classifier(run: TrainingRun, configured: TrainingBase, method: Method) -> None:
    """Train a classifier for the labels of a run, and write it to `run.output`."""
    with prepared_torch(run):
        train, val = (read_classes(run, part) for part in ("train", "val"))
        check_enough(train, run)
        _train(run, configured, (train, val), method)


def _train(run: TrainingRun, configured: TrainingBase, parts: Parts, method: Method) -> None:
    train, val = parts
    if method == "auto" and len(train.texts) >= FULL_TEXTS and val.texts:
        _train_better(run, configured, parts)
    elif method == "full":
        _train_full(run, configured, parts)
    else:
        _train_linear(run, configured, parts)


def _train_better(run: TrainingRun, configured: TrainingBase, parts: Parts) -> None:
    """Train both, and keep the one that is better on the validation part; of equals the linear."""
    folders = {name: run.output / name for name in ("linear", "full")}
    for folder in folders.values():
        folder.mkdir()
    quiet = replace(run, output=folders["linear"], on_epoch=lambda epoch, epochs, metrics: True)
    linear = _train_linear(quiet, configured, parts)
    full = _train_full(replace(run, output=folders["full"]), configured, parts)
    name = "full" if _quality(full) > _quality(linear) else "linear"
    for file in folders[name].iterdir():
        file.rename(run.output / file.name)
    for folder in folders.values():
        shutil.rmtree(folder)


def _quality(metrics: Metrics) -> tuple[float, float]:
    return main_metric(metrics), -metrics["validation_loss"]


def _train_linear(run: TrainingRun, configured: TrainingBase, parts: Parts) -> Metrics:
    base = choose_base(configured, run.base)
    metrics = LinearTraining(run, base).fit(*parts)
    write_trainer_settings(run, base, method="linear")
    return metrics


def _train_full(run: TrainingRun, configured: TrainingBase, parts: Parts) -> Metrics:
    base = choose_base(configured, _without_mean_head(run.base))
    train, val = parts
    training = FullTraining(run, base, val)
    metrics = training.fit(train)
    write_trainer_settings(run, base, method="full", **training.settings)
    return metrics


def _without_mean_head(serving: Path | None) -> Path | None:
    """Return the version that serves unless it has a linear head: its last layers are no start."""
    if serving is None or MeanHead.load(serving) is not None:
        return None
    return serving

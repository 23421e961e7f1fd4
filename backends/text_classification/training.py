"""Training of a text classifier: a linear head on a frozen encoder, or the whole network."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

from backends._transformers.fine_tuning import Metrics, bounded_threads, memory_errors
from backends._transformers.hub import TrainingBase
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
# From so many texts on the whole network is trained as well, and the better one is kept.
FULL_TEXTS = 500


def train_classifier(run: TrainingRun, configured: TrainingBase, method: Method) -> None:
    """Train a classifier for the labels of a run, and write it to `run.output`."""
    train, val = (read_classes(run, part) for part in ("train", "val"))
    check_enough(train, run)
    if method == "auto" and len(train.texts) >= FULL_TEXTS and val.texts:
        _train_better(run, configured, train, val)
    elif method == "full":
        _train_full(run, configured, train, val)
    else:
        _train_linear(run, configured, train, val)


def _train_better(
    run: TrainingRun, configured: TrainingBase, train: ClassifiedTexts, val: ClassifiedTexts
) -> None:
    """Train both, and keep the one that is better on the validation part; of equals the linear."""
    folders = {name: run.output / name for name in ("linear", "full")}
    for folder in folders.values():
        folder.mkdir()
    quiet = replace(run, output=folders["linear"], on_epoch=lambda epoch, epochs, metrics: True)
    linear = _train_linear(quiet, configured, train, val)
    full = _train_full(replace(run, output=folders["full"]), configured, train, val)
    name = "full" if _quality(full) > _quality(linear) else "linear"
    for file in folders[name].iterdir():
        file.rename(run.output / file.name)
    for folder in folders.values():
        shutil.rmtree(folder)


def _quality(metrics: Metrics) -> tuple[float, float]:
    return main_metric(metrics), -metrics["validation_loss"]


def _train_linear(
    run: TrainingRun, configured: TrainingBase, train: ClassifiedTexts, val: ClassifiedTexts
) -> Metrics:
    base = choose_base(configured, run.base)
    with bounded_threads(run.threads), memory_errors():
        return LinearTraining(run, base).fit(train, val)


def _train_full(
    run: TrainingRun, configured: TrainingBase, train: ClassifiedTexts, val: ClassifiedTexts
) -> Metrics:
    base = choose_base(configured, _without_mean_head(run.base))
    with bounded_threads(run.threads), memory_errors():
        return FullTraining(run, base, val).fit(train)


def _without_mean_head(serving: Path | None) -> Path | None:
    """Return the version that serves unless it has a linear head: its last layers are no start."""
    if serving is None or MeanHead.load(serving) is not None:
        return None
    return serving

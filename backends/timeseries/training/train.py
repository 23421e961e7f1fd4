"""Trains models of series, and loads them: `series.safetensors`, and `series.json` about it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.timeseries.training.features import FeatureSettings
from backends.timeseries.training.labelled import LabelledSeries, read_part
from backends.timeseries.training.sequence_model import SequenceModel
from backends.timeseries.training.sequence_training import SequenceTraining
from backends.timeseries.training.whole_model import (
    WholeModel,
    class_sharpness,
    fit_head,
    pool_features,
)
from shared.backend import Control, TrainingError, TrainingRun
from shared.backend.choices import allows_several
from shared.backend.extras import require
from shared.errors import ModelError

WEIGHTS_FILE, DESCRIPTION_FILE, TRAINER_FILE = "series.safetensors", "series.json", "trainer.json"
# Windows of whole series, in rows, where nothing says otherwise.
WHOLE_SCALES, WHOLE_HOP = (12, 48), 4
# Rows that are learned from, all series together, and of each at least.
MAX_ROWS, LEAST_ROWS = 1_000_000, 20_000

Model = SequenceModel | WholeModel


def train_model(run: TrainingRun, window: int, class_weights: bool, most: int) -> None:
    """Train a model for the control tag of a run, and write it to `run.output`."""
    train, val = (read_part(run, part, most) for part in ("train", "val"))
    if not train:
        raise TrainingError(f"{run.control}: no series to learn from can be read")
    rows = max(MAX_ROWS // len([*train, *val]), LEAST_ROWS)
    train, val = ([one.crop(rows) for one in part] for part in (train, val))
    model: Model
    if run.control.tag in ("Choices", "Rating"):
        model = _train_whole(run, [*train, *val], window)
    else:
        model = SequenceTraining(run, window, class_weights).fit(train, val)
    _save(model, run.output)


def _train_whole(run: TrainingRun, series: Sequence[LabelledSeries], window: int) -> WholeModel:
    """Fit a head to whole series: which of its settings is best each series left out tells."""
    answers = [_read_answer(one, run.control) for one in series]
    told = [
        (one, answer) for one, answer in zip(series, answers, strict=True) if answer is not None
    ]
    if len(told) < 2:
        raise TrainingError(f"{run.control}: two answered series are needed to learn from")
    scales = (max(window // 4, 5), window) if window else WHOLE_SCALES
    features = FeatureSettings.fit([one.series for one, _ in told], scales, WHOLE_HOP, run.seed)
    pooled = np.stack([pool_features(features, one.series.values) for one, _ in told])
    several = allows_several(run.control) or len(run.labels) == 1
    targets = _targets([answer for _, answer in told], run.labels)
    fit = fit_head(pooled, targets)
    channels = told[0][0].series.channels
    model = WholeModel(features, tuple(run.labels), channels, not several, fit.weights, fit.offset)
    run.report(1, 1, loss=fit.loss, val_loss=fit.loss, **_figures(fit.left_out, targets, several))
    if run.labels and not several:
        sharpness = class_sharpness(fit.left_out, targets.argmax(axis=1).tolist())
        return WholeModel(**{**vars(model), "sharpness": sharpness})
    return WholeModel(**{**vars(model), "sharpness": 2.0})


def _read_answer(one: LabelledSeries, control: Control) -> Any:
    """Return the labels of a series, or its rating; None if it has none and has to have one."""
    if control.tag == "Rating":
        return None if one.answer is None else float(one.answer)
    answer = one.answer if isinstance(one.answer, list) else [one.answer] if one.answer else []
    return answer if answer or allows_several(control) else None


def _targets(answers: Sequence[Any], labels: Sequence[str]) -> Any:
    if not labels:
        return np.array(answers, np.float64)[:, None]
    rows = [[1.0 if label in answer else -1.0 for label in labels] for answer in answers]
    return np.array(rows)


def _figures(left_out: Any, targets: Any, several: bool) -> dict[str, float]:
    if targets.shape[1] == 1 and not several:
        return {}
    if several:
        return {"accuracy": float(((left_out > 0) == (targets > 0)).mean())}
    return {"accuracy": float((left_out.argmax(axis=1) == targets.argmax(axis=1)).mean())}


def _save(model: Model, folder: Path) -> None:
    save_file = require("safetensors.numpy", "timeseries").save_file
    arrays = {name: np.ascontiguousarray(array) for name, array in model.to_arrays().items()}
    save_file(arrays, folder / WEIGHTS_FILE)
    (folder / DESCRIPTION_FILE).write_text(json.dumps(model.to_json(), indent=1), encoding="utf-8")
    settings = {
        "library": "numpy",
        "features": model.features.count,
        "windows": list(model.features.scales),
        "hop": model.features.hop,
    }
    (folder / TRAINER_FILE).write_text(json.dumps(settings), encoding="utf-8")


def model_files(folder: Path) -> tuple[Path, Path]:
    """Return the files of a trained model."""
    return folder / WEIGHTS_FILE, folder / DESCRIPTION_FILE


def load_model(folder: Path) -> Model:
    """Load a trained model; ModelError if its files do not fit each other."""
    load_file = require("safetensors.numpy", "timeseries").load_file
    safetensors_error = require("safetensors", "timeseries").SafetensorError
    try:
        written = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        arrays = load_file(folder / WEIGHTS_FILE)
        if written["kind"] == "whole":
            return WholeModel.from_files(arrays, written)
        return SequenceModel.from_files(arrays, written)
    except (OSError, ValueError, KeyError, TypeError, safetensors_error) as error:
        raise ModelError(f"the model of {folder.name} cannot be loaded: {error}") from None

"""Trains a whole sequence classification network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.calibration import divide_logits, fit_temperature
from backends._transformers.converted_model import SEVERAL_CLASSES
from backends._transformers.fine_tuning import (
    EpochJudge,
    FineTuning,
    Metrics,
    TrainingRow,
    describe_settings,
    fine_tune,
)
from backends._transformers.hub import TrainingBase
from backends._transformers.network import Network
from backends._transformers.training_base import (
    HeadPlan,
    classes_by_label,
    load_tokenizer,
    load_with_head,
    read_class_names,
    save_network,
)
from backends.text_classification.classified_texts import ClassifiedTexts, has_several, judge
from backends.text_classification.sequence_classifier import ONE_CLASS, TextClassifier
from shared.backend.training import TrainingRun

AUTO_CLASS = "AutoModelForSequenceClassification"


class FullTraining:
    """A network in training, read by the code that serves it."""

    def __init__(self, run: TrainingRun, base: TrainingBase, val: ClassifiedTexts) -> None:
        self._run, self._base, self._val = run, base, val
        self._problem = SEVERAL_CLASSES if has_several(run) else ONE_CLASS
        self._tokenizer = load_tokenizer(base)
        known = classes_by_label(run.control, read_class_names(base.folder))
        self._network = load_with_head(base, AUTO_CLASS, HeadPlan(run.labels, known, self._problem))

    def fit(self, train: ClassifiedTexts) -> Metrics:
        """Train the network, write its best epoch, and return how that does on the other part."""
        epochs = EpochJudge(
            self._network,
            lambda: judge(self._logits(), self._val.truth),
            "f1" if self._problem == SEVERAL_CLASSES else "accuracy",
            self._save,
        )
        rows = list(self._rows_of(train))
        fine_tune(FineTuning(epochs, self._tokenizer.pad_id, rows), self._run)
        return self._calibrate()

    @property
    def settings(self) -> dict[str, Any]:
        """What the network is trained with."""
        return describe_settings(self._run, self._network.config)

    def _rows_of(self, texts: ClassifiedTexts) -> Iterator[TrainingRow]:
        """Yield the rows that texts are read in: each of a text's is to say what the text is."""
        for rows, truth in zip(self._classifier.build_rows(texts.texts), texts.truth, strict=True):
            for row in rows:
                labels = [float(one) for one in truth] if truth.ndim else int(truth)
                yield TrainingRow(row, labels)

    def _calibrate(self) -> Metrics:
        """Divide the logits of the best epoch by what makes its scores right on `val`."""
        best = TrainingBase(self._run.output, self._base.name)
        head = HeadPlan(self._run.labels, {}, self._problem)
        self._network = load_with_head(best, AUTO_CLASS, head).to(self._run.device)
        divide_logits(self._network, fit_temperature(self._logits(), self._val.truth))
        self._save()
        return judge(self._logits(), self._val.truth)

    @property
    def _classifier(self) -> TextClassifier:
        network = Network.of_torch(self._network.eval(), self._tokenizer)
        return TextClassifier(self._tokenizer, network, trained=True)

    def _logits(self) -> NDArray[np.float32]:
        rows = self._classifier.mean_logits(self._val.texts)
        return np.array(rows, np.float32).reshape(len(rows), len(self._run.labels))

    def _save(self) -> None:
        save_network(self._network, self._tokenizer, self._run.output)

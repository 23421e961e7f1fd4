"""Trains a linear head on the mean of a frozen encoder's tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.calibration import log_loss
from backends._transformers.converted_model import SEVERAL_CLASSES
from backends._transformers.fine_tuning import Metrics
from backends._transformers.hub import TrainingBase
from backends._transformers.network import Network
from backends._transformers.tokenizer import Row, Tokenizer
from backends._transformers.training_base import (
    HeadPlan,
    last_linear,
    load_tokenizer,
    load_with_head,
    save_network,
)
from backends.text_classification.classified_texts import ClassifiedTexts, has_several, judge
from backends.text_classification.linear_head import HeadFitter, LinearHead, TextFeatures
from backends.text_classification.mean_head import (
    AUTO_CLASS,
    MEAN,
    POOLING_KEY,
    MeanHead,
    count_pieces,
)
from backends.text_classification.sequence_classifier import ONE_CLASS, TextClassifier
from shared.backend.training import TrainingRun


class LinearTraining:
    """The fit of a linear head."""

    def __init__(self, run: TrainingRun, base: TrainingBase) -> None:
        self._run = run
        self._tokenizer: Tokenizer = load_tokenizer(base)
        plan = HeadPlan(run.labels, {}, SEVERAL_CLASSES if has_several(run) else ONE_CLASS)
        self._network = load_with_head(base, AUTO_CLASS, plan)
        setattr(self._network.config, POOLING_KEY, MEAN)
        network = Network.of_torch(self._network.eval().to(run.device), self._tokenizer)
        self._classifier = TextClassifier(self._tokenizer, network, MeanHead())

    def fit(self, train: ClassifiedTexts, val: ClassifiedTexts) -> Metrics:
        """Write a head, and return how one that has not seen the validation part does there.

        The one that is written has learned from both parts: nothing is left to be chosen by the
        validation part, and of few texts each counts.
        """
        mean_head = self._fit_head(train)
        metrics = judge(self._logits(val), val.truth)
        both = train
        if val.texts:
            both = train.joined(val)
            mean_head = self._fit_head(both)
        save_network(self._network, self._tokenizer, self._run.output)
        mean_head.save(self._run.output)
        loss = log_loss(self._logits(both), both.truth)
        self._run.report(1, 1, loss=loss, **metrics)
        return metrics

    def _fit_head(self, texts: ClassifiedTexts) -> MeanHead:
        row_groups = self._classifier.build_rows(texts.texts)
        shares = count_pieces(row_groups, len(self._tokenizer.inner))
        seen = np.flatnonzero(shares.any(axis=0))
        features = TextFeatures(self._embed(row_groups), shares[:, seen])
        fitter = HeadFitter(features, texts.truth, len(self._run.labels), self._run.seed)
        head, adds = fitter.fit()
        set_last_layer(self._network, head)
        pieces = None
        if adds is not None:
            pieces = np.zeros((shares.shape[1], adds.shape[1]), np.float32)
            pieces[seen] = adds
        self._classifier.head = mean_head = MeanHead(pieces)
        return mean_head

    def _embed(self, row_groups: Sequence[Sequence[Row]]) -> NDArray[np.float32]:
        return self._classifier.network.embed_texts(row_groups)

    def _logits(self, texts: ClassifiedTexts) -> NDArray[np.float32]:
        rows = self._classifier.mean_logits(texts.texts)
        return np.array(rows, np.float32).reshape(len(rows), len(self._run.labels))


def set_last_layer(network: Any, head: LinearHead) -> None:
    """Put a head into the last layer of a network."""
    import torch

    layer = last_linear(network)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weights))
        layer.bias.copy_(torch.from_numpy(head.bias))

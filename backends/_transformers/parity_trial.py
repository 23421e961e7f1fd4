"""The trial of a converted network: does it give what PyTorch gives?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.parity import load_verified
from backends._transformers import conversion
from backends._transformers.model_source import ModelSource
from backends._transformers.runners import (
    Batch,
    Logits,
    NetworkRunner,
    OpenVinoRunner,
    TorchRunner,
    softmax,
)
from shared.errors import ModelError

# How far 99 % of OpenVINO's probabilities may lie from PyTorch's, on random tokens: there networks
# are less sure than on texts, so differences show.
MAX_DEVIATION = 0.02


@dataclass
class ParityTrial:
    """Converts one network in the fastest precision whose outputs agree with PyTorch's."""

    source: ModelSource
    config: Any
    input_names: Sequence[str]
    max_tokens: int

    @cached_property
    def network(self) -> Any:
        """The PyTorch network: loaded only if a precision has not been tried before."""
        return self.source.load_network()

    @cached_property
    def batches(self) -> list[Batch]:
        """Rows of random tokens, of several lengths up to `max_tokens`, some of them padded."""
        return list(self._draw_batches())

    @cached_property
    def expected(self) -> list[Logits]:
        """What PyTorch gives for the batches."""
        return TorchRunner(self.network, "cpu").run(self.batches)

    def load(self) -> NetworkRunner:
        """Return the converted network; ModelError if none agrees with PyTorch's."""
        reason = ""
        for precision in conversion.available_precisions():
            try:
                return self._load_precision(precision)
            except ModelError as error:
                reason = str(error)
        raise ModelError(reason)

    def _load_precision(self, precision: str) -> NetworkRunner:
        def convert(folder: Path) -> None:
            conversion.convert_network(
                self.network, self.input_names, self.max_tokens, precision, folder
            )

        def load(folder: Path) -> OpenVinoRunner:
            return OpenVinoRunner(folder, self.input_names)

        folder = self.source.cache_folder / precision
        runner = load_verified(folder, convert, load, self.describe_deviation)
        runner.folder = folder  # a new network was loaded from its draft, which has been moved
        return runner

    def describe_deviation(self, runner: NetworkRunner) -> str:
        """Tell how another engine's probabilities differ; "" if they agree.

        Padding is left out: what a network gives for it is never read.
        """
        deviations = []
        for batch, expected, logits in zip(
            self.batches, self.expected, runner.run(self.batches), strict=True
        ):
            deviation = np.abs(softmax(logits) - softmax(expected)).max(axis=-1)
            is_token = batch["attention_mask"].astype(bool)
            deviations.append(deviation[is_token] if deviation.ndim == 2 else deviation)
        worst = float(np.quantile(np.concatenate(deviations), 0.99))
        if worst <= MAX_DEVIATION:
            return ""
        return f"1 % of its probabilities differ from PyTorch's by {worst:.2g} or more"

    def _draw_batches(self) -> Iterator[Batch]:
        random, vocabulary_size = np.random.default_rng(0), int(self.config.vocab_size)
        for rows, tokens in ((1, 7), (2, 48), (3, 160)):
            width = min(tokens, self.max_tokens)
            batch = {name: np.zeros((rows, width), np.int64) for name in self.input_names}
            batch["input_ids"][:] = random.integers(1, vocabulary_size, (rows, width))
            lengths = np.array([[width], [5], [width // 2]])[:rows]
            batch["attention_mask"][:] = np.arange(width) < lengths
            yield batch

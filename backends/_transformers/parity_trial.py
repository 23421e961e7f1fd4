"""The trial of a converted network: does it give what PyTorch gives?"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.parity import load_verified
from backends._transformers import conversion
from backends._transformers.converted_model import NetworkDescription, write_model_files
from backends._transformers.model_source import ModelSource
from backends._transformers.runners import (
    Batch,
    Logits,
    NetworkRunner,
    OpenVinoRunner,
    TorchRunner,
    softmax,
)
from backends._transformers.tokenizer import Tokenizer
from shared.errors import ModelError

# How far 99 % of OpenVINO's probabilities may lie from PyTorch's, on random tokens: there networks
# are less sure than on texts, so differences show.
MAX_DEVIATION = 0.02
# Model types whose attention is converted from its plain formula: that of PyTorch gives NaN on
# OpenVINO where a padded row has no token within a window.
EAGER_ATTENTION_TYPES = frozenset({"modernbert"})


@dataclass
class ParityTrial:
    """Converts one network in the fastest precision whose outputs agree with PyTorch's."""

    source: ModelSource
    config: Any
    tokenizer: Tokenizer

    @classmethod
    def of(cls, source: ModelSource) -> "ParityTrial":
        """Read what is needed of a model besides its network."""
        tokenizer = Tokenizer.load(source.folder, source.name)
        return cls(source, source.load_config(), tokenizer)

    @cached_property
    def description(self) -> NetworkDescription:
        """What has to be known of the network to run it."""
        return NetworkDescription.of(self.config, self.tokenizer)

    @cached_property
    def network(self) -> Any:
        """The PyTorch network: loaded only if a precision has not been tried before."""
        attention = "eager" if self.config.model_type in EAGER_ATTENTION_TYPES else None
        return self.source.load_network(attention=attention)

    @cached_property
    def batches(self) -> list[Batch]:
        """Rows of random tokens, of several lengths up to `max_tokens`, some of them padded."""
        return list(self._draw_batches())

    @cached_property
    def expected(self) -> list[Logits]:
        """What PyTorch gives for the batches."""
        return TorchRunner(self.network, "cpu").run(self.batches)

    def convert(self, every: bool = False) -> None:
        """Convert in one precision after the other until one agrees; each verdict is kept.

        With `every` in all of them: for other machines, which may lack the fastest.
        """
        for precision in conversion.available_precisions():
            with suppress(ModelError):
                self._convert_to(precision)
                if not every:
                    return

    def _convert_to(self, precision: str) -> None:
        def convert(folder: Path) -> None:
            conversion.convert_network(self.network, self.description, precision, folder)
            write_model_files(folder, self.description, self.tokenizer)

        def load(folder: Path) -> OpenVinoRunner:
            return OpenVinoRunner(folder, self.description.input_names)

        folder = self.source.cache_folder / precision
        load_verified(folder, convert, load, self.describe_deviation)

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
            width = min(tokens, self.description.max_tokens)
            names = self.description.input_names
            batch = {name: np.zeros((rows, width), np.int64) for name in names}
            batch["input_ids"][:] = random.integers(1, vocabulary_size, (rows, width))
            lengths = np.array([[width], [5], [width // 2]])[:rows]
            batch["attention_mask"][:] = np.arange(width) < lengths
            yield batch

"""A transformers network: rows of tokens in, logits out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.batching import Batching
from backends._transformers.converted_model import NetworkDescription
from backends._transformers.runners import (
    Batch,
    HiddenStates,
    Logits,
    NetworkRunner,
    TorchRunner,
)
from backends._transformers.tokenizer import INPUT_NAMES, Row, Tokenizer

# Tokens of a batch, padding included.
BATCH_TOKENS = {"cpu": 512, "cuda": 65536}
# What a batch costs in addition, in tokens: the engine reads all weights (18, layers of a BERT-base
# in f32 on OpenVINO, with AVX2), and prepares itself for a new shape (about as much again). On a
# GPU that was not measured: the fewest batches. In bf16 (with AMX) a token takes less, and the rest
# as long as before.
BATCH_COST_TOKENS = {"cpu": 32, "cuda": 65536}
BF16_BATCH_COST_TOKENS = 120
# Rows are padded to a multiple of this many tokens: the engine prepares itself for each new shape.
WIDTH_STEP = 2
# Tokens that a batch has at least, padding included: OpenVINO multiplies fewer by kernels of their
# own, for which it keeps another copy of all weights (327 MB of a BERT-base; 2026.4, with AVX2 up
# to 6 tokens).
MIN_BATCH_TOKENS = 8


def estimate_size(text: str) -> int:
    """Return how long a text is to a network, in characters: special tokens count as eight."""
    return len(text) + 8


@dataclass
class Network:
    """Runs rows of tokens, in batches of rows of similar length.

    `max_tokens` fit into a row, `batch_tokens` into a batch, which costs as much as `batch_cost`
    tokens in addition.
    """

    runner: NetworkRunner
    input_names: Sequence[str]
    labels: Sequence[str]
    problem_type: str | None
    pad_id: int
    max_tokens: int
    batch_tokens: int
    engine: str
    batch_cost: int = BATCH_COST_TOKENS["cpu"]

    @classmethod
    def of_torch(cls, network: Any, tokenizer: Tokenizer) -> "Network":
        """Return a PyTorch network in memory, such as one in training, on the device it is on."""
        device = str(network.device)
        description = NetworkDescription.of(network.config, tokenizer)
        kind = "cuda" if device.startswith("cuda") else "cpu"
        return cls.of_runner(TorchRunner(network, device), description, "torch", kind)

    @classmethod
    def of_runner(
        cls,
        runner: NetworkRunner,
        description: NetworkDescription,
        engine: str,
        kind: str = "cpu",
        precision: str = "f32",
    ) -> "Network":
        """Return the network that a runner runs on a kind of device: `cpu` or `cuda`.

        `precision` is what OpenVINO runs it in: what a batch costs depends on it.
        """
        return cls(
            runner,
            description.input_names,
            description.labels,
            description.problem_type,
            description.pad_id,
            description.max_tokens,
            BATCH_TOKENS[kind],
            engine,
            BF16_BATCH_COST_TOKENS if precision == "bf16" else BATCH_COST_TOKENS[kind],
        )

    def describe_engine(self) -> str:
        """Return what it runs on, and why on nothing faster."""
        note = self.runner.note
        return f"{self.runner.name}: {note}" if note else self.runner.name

    def run(self, rows: Sequence[Row]) -> list[Logits]:
        """Return the logits of each row, without its padding.

        Shape (tokens, labels) from a token classifier, (labels,) from a sequence classifier.
        """
        logits: list[Logits] = [np.empty(0, np.float32)] * len(rows)
        groups = self._group_rows(rows)
        batches = (self._build_batch([rows[index] for index in group]) for group in groups)
        for group, outputs in zip(groups, self.runner.run(batches), strict=True):
            for index, output in zip(group, outputs, strict=True):
                logits[index] = output[: len(rows[index].ids)] if output.ndim == 2 else output
        return logits

    def embed(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Return the hidden state before the last layer of each row, shape (rows, hidden).

        A token classifier's is the mean over the row's tokens, without padding.
        """
        states: list[HiddenStates] = [np.empty(0, np.float32)] * len(rows)
        groups = self._group_rows(rows)
        batches = (self._build_batch([rows[index] for index in group]) for group in groups)
        for group, outputs in zip(groups, self.runner.run_trunk(batches), strict=True):
            for index, output in zip(group, outputs, strict=True):
                is_tokens = output.ndim == 2
                states[index] = output[: len(rows[index].ids)].mean(axis=0) if is_tokens else output
        return np.stack(states)

    def embed_texts(self, row_groups: Sequence[Sequence[Row]]) -> NDArray[np.float32]:
        """Return the mean hidden state of each group of rows, weighted by their length."""
        states = iter(self.embed([row for rows in row_groups for row in rows]))
        return np.stack(
            [
                np.average([next(states) for _ in rows], axis=0, weights=[len(r.ids) for r in rows])
                for rows in row_groups
            ]
        ).astype(np.float32)

    def _group_rows(self, rows: Sequence[Row]) -> list[list[int]]:
        """Return the row indices of each batch: rows of similar length, the longest first."""
        batching = Batching(self.batch_tokens, self.runner.concurrency, self.batch_cost)
        return batching.group([self._padded_width(len(row.ids)) for row in rows])

    def _padded_width(self, tokens: int) -> int:
        return max(tokens, min(-(-tokens // WIDTH_STEP) * WIDTH_STEP, self.max_tokens))

    def _build_batch(self, rows: Sequence[Row]) -> Batch:
        least = min(-(-MIN_BATCH_TOKENS // len(rows)), self.max_tokens)
        shape = len(rows), self._padded_width(max(least, *(len(row.ids) for row in rows)))
        arrays = {name: np.zeros(shape, np.int64) for name in INPUT_NAMES}
        arrays["input_ids"] += self.pad_id
        for index, row in enumerate(rows):
            arrays["input_ids"][index, : len(row.ids)] = row.ids
            arrays["attention_mask"][index, : len(row.ids)] = 1
            arrays["token_type_ids"][index, : len(row.ids)] = row.type_ids
        return {name: arrays[name] for name in self.input_names}

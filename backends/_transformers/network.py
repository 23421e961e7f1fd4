"""A transformers network: rows of tokens in, logits out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._transformers.conversion import INPUTS, Logits, NetworkRunner
from backends._transformers.engine import Source, choose, device_of
from backends._transformers.tokenizer import Row, Tokenizer, max_tokens
from shared.settings import Settings

# What loading imports.
IMPORTS = ("transformers.models.auto.modeling_auto", "transformers.modeling_utils", "openvino")
# Tokens of a batch, those that fill up its shorter rows included.
BUDGET = {"cpu": 512, "cuda": 65536}
# Rows are filled up to a multiple of so many tokens: fewer shapes for the engine to prepare.
STEP = 2
# In rows of so many tokens a token costs twice what it costs in the shortest ones.
ATTENTION = 1500


def size_of(text: str) -> int:
    """How long a text is to a network, in characters: those that tokenizers add are two tokens."""
    return len(text) + 8


@dataclass
class Network:
    """What runs the rows, in batches of rows of like length."""

    forward: NetworkRunner
    inputs: Sequence[str]
    labels: Sequence[str]
    config: Any
    pad: int
    room: int
    budget: int
    engine: str

    @classmethod
    def load(cls, source: Source, tokenizer: Tokenizer, settings: Settings) -> "Network":
        """With OpenVINO on a CPU and PyTorch on a GPU, or what ENGINE and DEVICE say."""
        import transformers

        device = device_of(settings)
        config = transformers.AutoConfig.from_pretrained(source.folder, trust_remote_code=False)
        names = list(tokenizer.inner.model_input_names)
        inputs = [name for name in names if name in INPUTS]
        room = max_tokens(tokenizer, config)
        engine, forward = choose(config, inputs, room, source, device, settings)
        labels = [str(config.id2label[index]) for index in range(len(config.id2label))]
        pad = tokenizer.inner.pad_token_id or 0
        budget = BUDGET["cuda" if device.startswith("cuda") else "cpu"]
        return cls(forward, inputs, labels, config, pad, room, budget, engine)

    def run(self, rows: Sequence[Row]) -> list[Logits]:
        """The logits of each row: (tokens, labels), or (labels,) if the model is of texts."""
        logits: list[Logits] = [np.empty(0, np.float32)] * len(rows)
        batches = self._batches(rows)
        filled = (self._filled([rows[index] for index in batch]) for batch in batches)
        for batch, found in zip(batches, self.forward(filled), strict=True):
            for index, row in zip(batch, found, strict=True):
                logits[index] = row[: len(rows[index].ids)] if row.ndim == 2 else row
        return logits

    def _batches(self, rows: Sequence[Row]) -> list[list[int]]:
        """Numbers of rows: the longest together, in batches that cost the same.

        There are as many as run at once, or a multiple: none is left to run by itself.
        """
        widths = [self._width(len(row.ids)) for row in rows]
        order = sorted(range(len(rows)), key=lambda index: -widths[index])
        costs = [width * (1 + width / ATTENTION) for width in widths]
        rounds = -(-sum(widths) // (self.budget * self.forward.at_once))
        share = sum(costs) / (rounds * self.forward.at_once) if rows else 0
        batches: list[list[int]] = []
        spent = 0.0
        for index in order:
            full = not batches or (1 + len(batches[-1])) * widths[batches[-1][0]] > self.budget
            if full or spent + costs[index] / 2 > share * len(batches):
                batches.append([])
            batches[-1].append(index)
            spent += costs[index]
        return batches

    def _width(self, tokens: int) -> int:
        return max(tokens, min(-(-tokens // STEP) * STEP, self.room))

    def _filled(self, rows: Iterable[Row]) -> dict[str, NDArray[np.int64]]:
        rows = list(rows)
        shape = len(rows), self._width(max(len(row.ids) for row in rows))
        made = {name: np.zeros(shape, np.int64) for name in INPUTS}
        made["input_ids"] += self.pad
        for index, row in enumerate(rows):
            made["input_ids"][index, : len(row.ids)] = row.ids
            made["attention_mask"][index, : len(row.ids)] = 1
            made["token_type_ids"][index, : len(row.ids)] = row.types
        return {name: made[name] for name in self.inputs}

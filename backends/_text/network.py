"""A transformers network: rows of tokens in, logits out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._text import converted
from backends._text.engine import Forward, Logits, Source, choose, device_of
from backends._text.tokens import Row, Tokenizer, room_of
from shared.settings import Settings

IMPORTS = ("transformers.models.auto.modeling_auto", "transformers.modeling_utils", "openvino")
"""What loading imports."""
BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens of a batch, those that fill up its shorter rows included."""
STEP = 16
"""Rows are filled up to a multiple of so many tokens: fewer shapes for the engine to prepare."""


@dataclass
class Network:
    """What runs the rows, in batches of rows of like length."""

    forward: Forward
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
        half = device.startswith("cuda")
        reader = getattr(transformers, source.kind)
        network = reader.from_pretrained(
            source.folder, dtype="float16" if half else "float32", trust_remote_code=False
        ).eval()
        config, names = network.config, list(tokenizer.inner.model_input_names)
        inputs = [name for name in names if name in converted.INPUTS]
        engine, forward = choose(network, inputs, source, device, settings)
        labels = [str(config.id2label[index]) for index in range(len(config.id2label))]
        pad = tokenizer.inner.pad_token_id or 0
        room, budget = room_of(tokenizer, config), BUDGET["cuda" if half else "cpu"]
        return cls(forward, inputs, labels, config, pad, room, budget, engine)

    def run(self, rows: Sequence[Row]) -> list[Logits]:
        """The logits of each row: (tokens, labels), or (labels,) if the model is of texts."""
        logits: list[Logits] = [np.empty(0, np.float32)] * len(rows)
        for batch in self._batches(rows):
            found = self.forward(self._filled([rows[index] for index in batch]))
            for place, index in enumerate(batch):
                row = found[place]
                logits[index] = row[: len(rows[index].ids)] if row.ndim == 2 else row
        return logits

    def ready(self, rows: Sequence[Row]) -> Callable[[], None]:
        """The network alone on these rows: what all around it costs is measured against it."""
        batches = [self._filled([rows[index] for index in batch]) for batch in self._batches(rows)]

        def run() -> None:
            for batch in batches:
                self.forward(batch)

        return run

    def _batches(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        """Numbers of rows: the shortest together, as many as the budget allows."""
        batch: list[int] = []
        for index in sorted(range(len(rows)), key=lambda index: len(rows[index].ids)):
            width = self._width(len(rows[index].ids))
            if batch and (len(batch) + 1) * width > self.budget:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _width(self, tokens: int) -> int:
        return max(tokens, min(-(-tokens // STEP) * STEP, self.room))

    def _filled(self, rows: Sequence[Row]) -> dict[str, NDArray[np.int64]]:
        shape = len(rows), self._width(max(len(row.ids) for row in rows))
        made = {name: np.zeros(shape, np.int64) for name in converted.INPUTS}
        made["input_ids"] += self.pad
        for index, row in enumerate(rows):
            made["input_ids"][index, : len(row.ids)] = row.ids
            made["attention_mask"][index, : len(row.ids)] = 1
            made["token_type_ids"][index, : len(row.ids)] = row.types
        return {name: made[name] for name in self.inputs}

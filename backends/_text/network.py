"""A transformers network on one of its engines: rows of tokens in, logits out."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._text import converted
from backends._text.tokens import Row, Tokenizer, room_of
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

IMPORTS = ("transformers.models.auto.modeling_auto", "transformers.modeling_utils", "openvino")
"""What loading imports."""
BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens of a batch, those that fill up its shorter rows included."""
CONVERTED = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert")
"""Kinds of network that OpenVINO runs by itself; ModernBERT, for one, says other things there."""
AGREEMENT = 0.05
"""How far logits of OpenVINO and PyTorch may lie apart."""
STEP = 16
"""Rows are filled up to a multiple of so many tokens: fewer shapes for the engine to prepare."""

Logits = NDArray[np.float32]
Forward = Callable[[Mapping[str, NDArray[np.int64]]], Logits]


class Source(NamedTuple):
    """Where a network is loaded from: the class that reads it, its folder, where it is kept."""

    kind: str
    folder: Path
    kept: Path


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

        device = _device(settings)
        half = device.startswith("cuda")
        reader = getattr(transformers, source.kind)
        network = reader.from_pretrained(
            source.folder, dtype="float16" if half else "float32", trust_remote_code=False
        ).eval()
        config, names = network.config, list(tokenizer.inner.model_input_names)
        inputs = [name for name in names if name in converted.INPUTS]
        engine, forward = _engine(network, inputs, source, device, settings)
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


def _device(settings: Settings) -> str:
    import torch

    if settings.engine == "openvino":
        return "cpu"
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _engine(
    network: Any, inputs: Sequence[str], source: Source, device: str, settings: Settings
) -> tuple[str, Forward]:
    """OpenVINO where it is asked for or can be; PyTorch is the reference."""
    tried = network.config.model_type in CONVERTED
    if device == "cpu" and (settings.engine == "openvino" or (settings.engine == "auto" and tried)):
        try:
            forward = converted.load(network, inputs, source.kept)
            _compare(forward, _torch(network, "cpu"), inputs, network.config)
            return "openvino", forward
        except Exception as error:  # a converter raises many kinds
            if settings.engine == "openvino":
                logger.error("OpenVINO cannot run %s", source.folder.name, exc_info=error)
                raise ModelError(
                    f"ENGINE=openvino: {source.folder.name} could not be converted"
                    f" ({type(error).__name__}); ENGINE=torch runs it"
                ) from None
            logger.warning("%s runs on PyTorch: %s", source.folder.name, error)
    network.to(device)
    return "torch", _torch(network, device)


def _compare(fast: Forward, reference: Forward, inputs: Sequence[str], config: Any) -> None:
    """Some networks do not survive the conversion: ModelError if the two say different things."""
    words = np.random.default_rng(0)
    for rows, width in ((1, 7), (2, 48), (3, 160)):
        given = {name: np.zeros((rows, width), np.int64) for name in inputs}
        given["input_ids"][:] = words.integers(1, int(config.vocab_size), (rows, width))
        given["attention_mask"][:] = (
            np.arange(width) < np.array([[width], [5], [width // 2]])[:rows]
        )
        seen = given["attention_mask"].astype(bool)
        apart = np.abs(fast(given) - reference(given))
        worst = float((apart[seen] if apart.ndim == 3 else apart).max())
        if worst > AGREEMENT:
            raise ModelError(f"its logits in OpenVINO differ by up to {worst:.2g} from PyTorch's")


def _torch(network: Any, device: str) -> Forward:
    import torch

    def forward(inputs: Mapping[str, NDArray[np.int64]]) -> Logits:
        with torch.inference_mode():
            given = {name: torch.from_numpy(value).to(device) for name, value in inputs.items()}
            found: Logits = network(**given).logits.float().cpu().numpy()
        return found

    return forward

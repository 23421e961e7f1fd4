"""A linear head on the mean of a text's tokens, on a frozen encoder.

It is kept as a token classification network, whose logits are averaged over the tokens: the mean of
a linear layer's outputs is its output for the mean. With few texts, a text's pieces tell more than
an encoder that has seen no such texts: each piece of the vocabulary may add to the logits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends._transformers.runners import Logits
from backends._transformers.tokenizer import Row

AUTO_CLASS = "AutoModelForTokenClassification"
# A key of ours in config.json, and its value where this head is meant.
POOLING_KEY, MEAN = "prelabel_pooling", "mean"
PIECES_FILE = "pieces.safetensors"


@dataclass(frozen=True)
class MeanHead:
    """`pieces` is what each piece adds, shape (vocabulary, classes); None: nothing."""

    pieces: NDArray[np.float32] | None = None

    @classmethod
    def load(cls, folder: Path) -> "MeanHead | None":
        """Load the head of a model's folder; None if it has another one."""
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if config.get(POOLING_KEY) != MEAN:
            return None
        if not (folder / PIECES_FILE).is_file():
            return cls()
        from safetensors.numpy import load_file

        return cls(load_file(folder / PIECES_FILE)["pieces"])

    def save(self, folder: Path) -> None:
        """Write what each piece adds beside the network."""
        if self.pieces is not None:
            from safetensors.numpy import save_file

            save_file({"pieces": np.ascontiguousarray(self.pieces)}, folder / PIECES_FILE)

    def pool(self, row: Row, logits: Logits) -> Logits:
        """Return the logits of a row, shape (classes,), from those of its tokens."""
        pooled: Logits = logits.mean(axis=0)
        if self.pieces is not None:
            pooled = pooled + self.pieces[list(row.ids)].mean(axis=0)
        return pooled


def count_pieces(row_groups: Sequence[Sequence[Row]], vocabulary: int) -> NDArray[np.float32]:
    """Return the share of each piece in each text, shape (texts, vocabulary)."""
    shares = np.zeros((len(row_groups), vocabulary), np.float32)
    for place, rows in enumerate(row_groups):
        ids = np.concatenate([row.ids for row in rows]).astype(np.int64)
        np.add.at(shares[place], ids, 1 / len(ids))
    return shares

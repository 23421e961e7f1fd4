"""A transformers token classifier: texts of any length to tagged words, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.ner.spans import Word
from shared.errors import ModelError

STRIDE = 64
"""Tokens that two windows of a long text have in common."""
LONGEST = 512
"""Tokens of a window where the model names no limit of its own."""
FILES = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")


class Window(NamedTuple):
    """A part of a text as the model takes it."""

    text: int
    ids: Sequence[int]
    encoding: Any


@dataclass
class TokenClassifier:
    """The tokenizer, the network and its tags."""

    tokenizer: Any
    network: Any
    tags: Sequence[str]
    device: str

    @classmethod
    def load(cls, folder: Path, device: str) -> "TokenClassifier":
        """From a folder of transformers; code in it is not run."""
        import torch
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not tokenizer.is_fast:
            raise ModelError(f"{folder.name} has no fast tokenizer; offsets need one")
        dtype = torch.float16 if device.startswith("cuda") else torch.float32
        network = AutoModelForTokenClassification.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False
        )
        network.to(device).eval()
        names = network.config.id2label
        return cls(tokenizer, network, [names[index] for index in range(len(names))], device)

    @property
    def window(self) -> int:
        """Tokens that fit the model at once, its special ones included."""
        limits = (
            getattr(self.tokenizer, "model_max_length", None),
            getattr(self.network.config, "max_position_embeddings", None),
        )
        return min([LONGEST, *(int(limit) for limit in limits if limit and limit > 0)])

    def tag(self, texts: Sequence[str], batch_size: int) -> list[list[Word]]:
        """The words of each text with their tags.

        A word's tag is that of its first token; in the overlap of two windows a word is taken
        from the one in which it stands further from the edge.
        """
        windows = list(self._windows(texts))
        order = sorted(range(len(windows)), key=lambda index: len(windows[index].ids))
        chances: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(windows)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            rows = self._run([windows[index].ids for index in batch])
            for index, row in zip(batch, rows, strict=True):
                chances[index] = row
        best: list[dict[int, tuple[int, Word]]] = [{} for _ in texts]
        for window, rows in zip(windows, chances, strict=True):
            for margin, word in self._words(window, rows):
                known = best[window.text].get(word.start)
                if known is None or margin > known[0]:
                    best[window.text][word.start] = margin, word
        return [[words[start][1] for start in sorted(words)] for words in best]

    def _windows(self, texts: Sequence[str]) -> Iterator[Window]:
        room = self.window
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=room,
            stride=min(STRIDE, room // 4),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for index, encoding in enumerate(encoded.encodings):
            text = encoded["overflow_to_sample_mapping"][index]
            yield Window(text, encoded["input_ids"][index], encoding)

    def _run(self, rows: Sequence[Sequence[int]]) -> Iterable[NDArray[np.float32]]:
        """Probabilities of the tags, shape (tokens, tags), for each row of token ids."""
        import torch

        width = max(len(row) for row in rows)
        ids = np.full((len(rows), width), self.tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        with torch.inference_mode():
            logits = self.network(
                input_ids=torch.from_numpy(ids).to(self.device),
                attention_mask=torch.from_numpy(mask).to(self.device),
            ).logits
            chances = torch.softmax(logits.float(), dim=-1).cpu().numpy()
        for index, row in enumerate(rows):
            yield chances[index, : len(row)]

    def _words(self, window: Window, chances: NDArray[np.float32]) -> Iterator[tuple[int, Word]]:
        """Each word with its distance in tokens from the window's edge."""
        winners = chances.argmax(axis=1)
        encoding, last = window.encoding, len(window.ids) - 1
        spans: dict[int, list[int]] = {}
        for token, word in enumerate(encoding.word_ids):
            if word is not None:
                spans.setdefault(word, []).append(token)
        for tokens in spans.values():
            first = tokens[0]
            start, end = encoding.offsets[first][0], encoding.offsets[tokens[-1]][1]
            if start < end:
                tag = self.tags[int(winners[first])]
                word = Word(start, end, tag, float(chances[first, winners[first]]))
                yield min(first, last - tokens[-1]), word

"""The embeddings of words for one network: computed once, and kept."""

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from backends.detection.open_vocabulary.text_encoder import SETTING, Floats, TextEncoder
from backends.detection.open_vocabulary.visual_encoder import VisualEncoder
from shared.backend.label_map import fold_name
from shared.errors import ModelError, UnfillableError, truncate

# Words that are kept for a network: 40 MB of 512 numbers each.
MAX_WORDS = 20_000


@dataclass(eq=False)
class WordTable:
    """Where a network's embeddings come from: a text encoder, or else the words in its file.

    `stored` are those of the file, by name; `refine` is a layer of the network, which its text
    embeddings pass once (YOLOE), or None.
    """

    name: str
    dimensions: int
    stored: Mapping[str, Floats]
    encoder: TextEncoder | None = None
    refine: Any = None
    visual: VisualEncoder | None = None
    """What embeds drawn boxes, for a network that has it (YOLOE)."""
    _known: "LRUCache[str, Floats]" = field(default_factory=lambda: LRUCache(MAX_WORDS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of_network(cls, name: str, network: Any, encoder: TextEncoder | None) -> "WordTable":
        """Read the words that Ultralytics keeps in a network: YOLO-World's, or YOLOE's."""
        head = network.model[-1]
        is_world = type(head).__name__ == "WorldDetect"
        stored = getattr(network, "txt_feats" if is_world else "pe", None)
        dimensions = int(head.cv3[0][-1].out_channels) if is_world else int(head.embed)
        names = network.names
        names = list(names.values() if isinstance(names, Mapping) else names)
        rows: Floats = np.zeros((0, dimensions), np.float32)
        if stored is not None and stored.shape[-2:] == (len(names), dimensions):
            rows = stored.detach().float().cpu().reshape(-1, dimensions).numpy()
        folded = {fold_name(str(name)): row for name, row in zip(names, rows, strict=False)}
        refine = None if is_world else copy.deepcopy(head.reprta).float().cpu().eval()
        return cls(name, dimensions, folded, encoder, refine)

    def known_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the words that have an embedding here: all if there is a text encoder."""
        if self.encoder is not None:
            return tuple(words)
        return tuple(word for word in words if fold_name(word) in self.stored)

    def embed(self, words: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
        """Return the words that are known, and their embeddings (1, words, dimensions).

        Raises:
            UnfillableError: none is known; the message says what is missing.
        """
        known = self.known_words(words)
        if not known:
            raise UnfillableError(self.explain_unknown(words))
        with self._lock:
            rows = {word: self._known[word] for word in known if word in self._known}
            new = [word for word in dict.fromkeys(known) if word not in rows]
            if new:  # they may take the places of others that are asked for
                rows |= zip(new, self._compute(new), strict=True)
                self._known.update((word, rows[word]) for word in new)
        return known, np.stack([rows[word] for word in known])[None]

    def explain_unknown(self, words: Sequence[str]) -> str:
        """Return why words have no embedding, and what helps."""
        encoder = (
            "MobileCLIP's: a folder with mobileclip_blt.ts (or mobileclip2_b.ts) and tokenizer.json"
            if self.refine is not None
            else "CLIP's: openai/clip-vit-base-patch32, or its folder with model.safetensors,"
            " config.json and tokenizer.json"
        )
        shown = truncate(", ".join(words), 100)
        return (
            f"{self.name} needs a text encoder for the words {shown}, and {SETTING} names none; it"
            f" should be {encoder}. Without it the network knows only the"
            f" {len(self.stored)} words in its file"
        )

    def _compute(self, words: Sequence[str]) -> Floats:
        if self.encoder is None:
            return np.stack([self.stored[fold_name(word)] for word in words])
        embeddings = self.encoder.encode(words)
        if embeddings.shape[1] != self.dimensions:
            raise ModelError(
                f"{SETTING} gives {embeddings.shape[1]} numbers a word, and {self.name} was trained"
                f" with {self.dimensions}: it needs another text encoder"
            )
        return embeddings if self.refine is None else self._refined(embeddings)

    def _refined(self, embeddings: Floats) -> Floats:
        """Do what YOLOE's head does with the embeddings of texts."""
        import torch

        with torch.inference_mode():
            refined = self.refine(torch.from_numpy(embeddings)[None])
            normalized: Floats = torch.nn.functional.normalize(refined, dim=-1)[0].numpy()
        return normalized

"""Grounding DINO and MM-Grounding-DINO: all words are read as one text, "a cat. a dog."."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from cachetools import LRUCache

from backends.detection.model.detections import FoundObjects
from backends.detection.model.transformers_model import LoadedModel
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples
from shared.media.image import Image

# Texts whose encoding is kept.
KEPT_TEXTS = 64


class Caption(NamedTuple):
    """The tokens of some words, and of each word its number, first token and end."""

    tokens: tuple[int, ...]
    words: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class GroundingDino:
    """The model, whose text encoder reads each text once.

    More words than fit into one text (256 tokens) make several, each a run of its own.
    """

    loaded: LoadedModel
    max_tokens: int

    @classmethod
    def of(cls, loaded: LoadedModel) -> "GroundingDino":
        """Put what keeps the encoded texts into the network."""
        network = loaded.network
        network.model.text_backbone = KeptTextEncoder(network.model.text_backbone)
        return cls(loaded, int(network.config.max_text_len))

    def find(
        self, images: Sequence[Image], words: tuple[str, ...], min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image. A score is that of an object's best token."""
        inputs = self.loaded.prepare_images(images)
        parts: list[list[FoundObjects]] = [[] for _ in images]
        for caption in self.split_captions(words):
            tokens = torch.tensor([caption.tokens], device=self.loaded.device)
            tokens = tokens.expand(len(images), -1)
            with torch.inference_mode():
                outputs = self.loaded.network(
                    input_ids=tokens, attention_mask=torch.ones_like(tokens), **inputs
                )
            for place, image in enumerate(images):
                scores = outputs.logits[place].float().sigmoid().cpu().numpy()
                boxes = outputs.pred_boxes[place].float().cpu().numpy()
                found = _objects_of(scores, boxes, caption, min_score)
                scale = np.array([image.size.width, image.size.height] * 2, np.float32)
                parts[place].append(found._replace(boxes=found.boxes * scale))
        return [_join(found) for found in parts]

    def find_alike(self, image: Image, examples: DrawnExamples, min_score: float) -> None:
        """Return None: it reads words alone."""

    def split_captions(self, words: Sequence[str]) -> Iterator[Caption]:
        """Yield the texts of words, in lower case and each with a full stop behind it."""
        tokenizer = self.loaded.tokenizer
        start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
        tokens: list[int] = [start]
        spans: list[tuple[int, int, int]] = []
        for number, word in enumerate(words):
            text = word.lower().replace(".", " ").strip()
            own = tokenizer(text, add_special_tokens=False)["input_ids"][: self.max_tokens - 3]
            own = [*own, *tokenizer(".", add_special_tokens=False)["input_ids"]]
            if spans and len(tokens) + len(own) + 1 > self.max_tokens:
                yield Caption((*tokens, end), tuple(spans))
                tokens, spans = [start], []
            spans.append((number, len(tokens), len(tokens) + len(own)))
            tokens += own
        yield Caption((*tokens, end), tuple(spans))


def _objects_of(scores: Any, boxes: Any, caption: Caption, min_score: float) -> FoundObjects:
    """Return the queries of a sufficient score; each is of the word with its best token."""
    best = scores.max(axis=1)
    rows = np.flatnonzero(best >= min_score)
    by_word = [scores[rows, start:end].max(axis=1) for _, start, end in caption.words]
    numbers = np.array([number for number, _, _ in caption.words], np.int64)
    center, half = boxes[rows, :2], boxes[rows, 2:] / 2
    corners = np.concatenate([center - half, center + half], axis=1)
    return FoundObjects(corners, best[rows], numbers[np.argmax(by_word, axis=0)])


def _join(parts: Sequence[FoundObjects]) -> FoundObjects:
    boxes, scores, classes = (
        np.concatenate(arrays) for arrays in list(zip(*parts, strict=True))[:3]
    )
    return FoundObjects(boxes, scores, classes)


class KeptTextEncoder(torch.nn.Module):
    """A text encoder that reads each text once. All rows of a batch have the same text."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self._kept: LRUCache[tuple[int, ...], torch.Tensor] = LRUCache(KEPT_TEXTS)

    def forward(
        self, input_ids: torch.Tensor, mask: torch.Tensor, *others: Any, **options: Any
    ) -> Any:
        """Return the encoder's output for the text, for each row of the batch."""
        from transformers.modeling_outputs import BaseModelOutput

        key = tuple(input_ids[0].tolist())
        kept = self._kept.get(key)
        if kept is None:
            first = [one[:1] if isinstance(one, torch.Tensor) else one for one in others]
            kept = self.encoder(input_ids[:1], mask[:1], *first, **options)[0]
            self._kept[key] = kept
        return BaseModelOutput(last_hidden_state=kept.expand(len(input_ids), -1, -1))

"""SAM 3 by text: all objects that a word names, with their masks; one run for each word."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from cachetools import LRUCache

from backends.detection.model.detections import FoundObjects
from backends.detection.model.transformers_model import LoadedModel
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples
from shared.media.image import Image

# What SAM 3's own processor reads of a text.
MAX_TOKENS = 32
KEPT_WORDS = 2000
# What its processor says where boxes are shown and nothing is said.
WORD_OF_EXAMPLES = "visual"
# Objects of an image whose masks are kept: each takes 160 KB.
MAX_MASKS = 100


class EncodedWord(NamedTuple):
    """What the text encoder makes of a word, and which of its tokens are no padding."""

    features: Any
    mask: torch.Tensor


@dataclass(frozen=True)
class Sam3:
    """The model; it looks at an image once, and reads each word once."""

    loaded: LoadedModel
    _kept: "LRUCache[str, EncodedWord]" = field(default_factory=lambda: LRUCache(KEPT_WORDS))

    def find(
        self, images: Sequence[Image], words: tuple[str, ...], min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image."""
        return [self._find_on(image, words, min_score) for image in images]

    def find_alike(self, image: Image, examples: DrawnExamples, min_score: float) -> FoundObjects:
        """Return what looks like examples on their own image: a run for each label."""
        network = self.loaded.network
        pixels = self.loaded.prepare_images([image])["pixel_values"]
        scale = np.array([image.size.width, image.size.height] * 2, np.float32)
        corners = examples.boxes / scale
        middles = np.concatenate([corners[:, :2] + corners[:, 2:], 2 * np.diff(
            corners.reshape(-1, 2, 2), axis=1)[:, 0]], axis=1) / 2  # fmt: skip
        parts = []
        with torch.inference_mode():
            seen = network.get_vision_features(pixel_values=pixels)
            encoded = self._encode(WORD_OF_EXAMPLES)
            for number in range(len(examples.labels)):
                boxes = torch.from_numpy(middles[examples.classes == number])[None]
                outputs = network(
                    vision_embeds=seen,
                    text_embeds=encoded.features,
                    attention_mask=encoded.mask,
                    input_boxes=boxes.to(self.loaded.device),
                    input_boxes_labels=torch.ones(
                        boxes.shape[:2], dtype=torch.long, device=self.loaded.device
                    ),
                )
                found = _objects_of(outputs, number, min_score)
                parts.append(found._replace(boxes=found.boxes * scale))
        return _best(parts)

    def _find_on(self, image: Image, words: Sequence[str], min_score: float) -> FoundObjects:
        network = self.loaded.network
        pixels = self.loaded.prepare_images([image])["pixel_values"]
        scale = np.array([image.size.width, image.size.height] * 2, np.float32)
        parts = []
        with torch.inference_mode():
            seen = network.get_vision_features(pixel_values=pixels)
            for number, word in enumerate(words):
                encoded = self._encode(word)
                outputs = network(
                    vision_embeds=seen, text_embeds=encoded.features, attention_mask=encoded.mask
                )
                found = _objects_of(outputs, number, min_score)
                parts.append(found._replace(boxes=found.boxes * scale))
        return _best(parts)

    def _encode(self, word: str) -> EncodedWord:
        found = self._kept.get(word)
        if found is None:
            inputs = self.loaded.tokenizer(
                [word],
                padding="max_length",
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.loaded.device)
            tokens, mask = inputs["input_ids"], inputs["attention_mask"]
            features = self.loaded.network.get_text_features(input_ids=tokens, attention_mask=mask)
            found = self._kept[word] = EncodedWord(features, mask)
        return found


def _objects_of(outputs: Any, number: int, min_score: float) -> FoundObjects:
    """Return the objects of a word, with boxes as fractions of the image."""
    scores = outputs.pred_logits[0].float().sigmoid()
    if outputs.presence_logits is not None:  # whether the word is there at all
        scores = scores * outputs.presence_logits[0].float().sigmoid()
    rows = (scores > min_score).nonzero()[:, 0]
    masks = outputs.pred_masks[0][rows].float().sigmoid().half().cpu().numpy()
    boxes = outputs.pred_boxes[0][rows].float().cpu().numpy()
    classes = np.full(len(rows), number, np.int64)
    return FoundObjects(boxes, scores[rows].cpu().numpy(), classes, masks)


def _best(parts: Sequence[FoundObjects]) -> FoundObjects:
    """Return the objects of all words with the highest scores."""
    arrays = [np.concatenate(column) for column in zip(*parts, strict=True)]
    rows = np.argsort(-arrays[1], kind="stable")[:MAX_MASKS]
    return FoundObjects(*(array[rows] for array in arrays))

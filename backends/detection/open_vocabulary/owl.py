"""OWL-ViT and OWLv2: each patch of an image is compared with the embedding of each word."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache

from backends.detection.model.detections import FoundObjects
from backends.detection.model.transformers_model import LoadedModel
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples, Floats
from backends.detection.open_vocabulary.example_table import (
    Embedded,
    ExampleSet,
    ExampleTable,
)
from backends.detection.open_vocabulary.owl_trunk import Trunk
from shared.errors import UnfillableError
from shared.media.image import Image

KEPT_WORDS = 20_000
# Words that the text encoder gets at once.
BATCH_WORDS = 64


@dataclass(frozen=True)
class Owl:
    """The model, whose text encoder reads each word once."""

    loaded: LoadedModel
    trunk: Trunk
    _kept: "LRUCache[str, torch.Tensor]" = field(default_factory=lambda: LRUCache(KEPT_WORDS))
    _examples: ExampleTable = field(default_factory=ExampleTable)

    def find(
        self, images: Sequence[Image], words: tuple[str, ...], min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image: for each patch the best word."""
        return self._compare(images, self._embed(words), min_score)

    def find_alike(self, image: Image, examples: DrawnExamples, min_score: float) -> FoundObjects:
        """Return what looks like examples: of each the patch that stands for it is the query.

        So `image_guided_detection` does it, which looks at the part of an image inside a box.
        """
        queries = [self._embed_part(examples.image, box) for box in examples.boxes]
        [found] = self._compare([image], torch.cat(queries), min_score)
        return found._replace(classes=examples.classes[found.classes])

    def embed_annotated(self, examples: ExampleSet) -> Embedded:
        """Return the embedding of each example on other images that the model recognizes."""

        def compute(drawn: DrawnExamples) -> Embedded:
            labels = tuple(drawn.labels[number] for number in drawn.classes)
            parts = [self._embed_part(drawn.image, box).cpu().numpy() for box in drawn.boxes]
            return Embedded(labels, np.concatenate(parts))

        parts = self._examples.embed(examples, compute)
        labels = tuple(label for one in parts for label in one.labels)
        return Embedded(labels, np.concatenate([one.vectors for one in parts]))

    def find_embedded(
        self, images: Sequence[Image], embedded: Embedded, min_score: float
    ) -> list[FoundObjects]:
        """Return what looks like embedded examples; classes are their places among the labels."""
        numbers = {label: place for place, label in enumerate(dict.fromkeys(embedded.labels))}
        classes = np.array([numbers[label] for label in embedded.labels], np.int64)
        found = self._compare(images, torch.from_numpy(embedded.vectors), min_score)
        return [one._replace(classes=classes[one.classes]) for one in found]

    def _embed_part(self, image: Image, box: Floats) -> torch.Tensor:
        """Return the embedding of what is in a box, shape (1, dimensions)."""
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        part = Image(np.ascontiguousarray(image.pixels[top:bottom, left:right]))
        network = self.loaded.network
        with torch.inference_mode():
            maps = network.image_embedder(
                pixel_values=self.loaded.prepare_images([part])["pixel_values"]
            )[0]
            found = network.embed_image_query(maps.flatten(1, 2), maps)[0]
        if found is None:
            raise UnfillableError("The model recognizes nothing inside the box that is drawn")
        embedding: torch.Tensor = found.reshape(1, -1)
        return embedding

    def _compare(
        self, images: Sequence[Image], embeddings: torch.Tensor, min_score: float
    ) -> list[FoundObjects]:
        """Return for each patch of each image the embedding that is most alike, as its class."""
        seen = self.trunk.look(self.loaded.prepare_images(images)["pixel_values"])
        queries = torch.nn.functional.normalize(embeddings, dim=-1).cpu()
        logits = (seen.embeddings @ queries.T + seen.shifts) * seen.scales
        outputs: Any = SimpleNamespace(logits=logits, pred_boxes=seen.boxes)
        found = self.loaded.image_processor.post_process_object_detection(
            outputs,
            threshold=min_score,
            target_sizes=[(image.size.height, image.size.width) for image in images],
        )
        keys = "boxes", "scores", "labels"
        return [FoundObjects(*(one[key].numpy() for key in keys)) for one in found]

    def _embed(self, words: Sequence[str]) -> torch.Tensor:
        """Return the embeddings of words, of length 1, shape (words, dimensions)."""
        new = [word for word in dict.fromkeys(words) if word not in self._kept]
        for start in range(0, len(new), BATCH_WORDS):
            batch = new[start : start + BATCH_WORDS]
            self._kept.update(zip(batch, self._encode(batch), strict=True))
        return torch.stack([self._kept[word] for word in words])

    def _encode(self, words: list[str]) -> torch.Tensor:
        network = self.loaded.network
        inputs = self.loaded.tokenizer(
            words,
            padding="max_length",
            truncation=True,
            max_length=network.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.loaded.device)
        with torch.inference_mode():
            model = getattr(network, network.config.model_type)
            found = model.get_text_features(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
            )
        embeddings = getattr(found, "pooler_output", found)
        return torch.nn.functional.normalize(embeddings, dim=-1)

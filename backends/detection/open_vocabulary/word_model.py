"""Models of transformers that find what words name: their files, and how they are run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from backends._inference.device import batch_images, choose_device
from backends._transformers.hub import list_files
from backends.detection.inputs.same_size import run_by_size
from backends.detection.model import kinds, weights
from backends.detection.model.detections import Detections, FoundObjects
from backends.detection.model.detector import Thresholds
from backends.detection.model.masks import ScaledMasks
from backends.detection.model.postprocess import MAX_OBJECTS
from backends.detection.model.transformers_model import LoadedModel, load_model
from backends.detection.open_vocabulary import families
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples, examples_error
from backends.detection.open_vocabulary.example_table import Embedded, ExampleSet, alike_error
from backends.detection.open_vocabulary.text_encoder import encoder_files
from shared.backend.claim import ModelSpec
from shared.backend.weights import hash_files
from shared.errors import ModelError, UnfillableError
from shared.media.image import Image
from shared.results import ImageSize
from shared.settings import Settings

# What engines are asked for when they are compared: some of it is on the pictures.
COMPARED_WORDS = ("person", "bus", "tie", "circle", "square", "triangle")


class WordFinder(Protocol):
    """A loaded model: `find` returns the objects on images of one size, of at least a score."""

    def find(
        self, images: Sequence[Image], words: tuple[str, ...], min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image; what depends on the words alone is computed once."""

    def find_alike(
        self, image: Image, examples: DrawnExamples, min_score: float
    ) -> FoundObjects | None:
        """Return what looks like examples on an image; None if the model takes none."""


class ExampleFinder(Protocol):
    """A loaded model that finds on an image what looks like examples on others."""

    def embed_annotated(self, examples: ExampleSet) -> Embedded:
        """Return the embeddings of the examples, which are computed once."""

    def find_embedded(
        self, images: Sequence[Image], embedded: Embedded, min_score: float
    ) -> list[FoundObjects]:
        """Return the objects on each image; classes are places among the different labels."""


def word_model_files(spec: ModelSpec, text_encoder: str, settings: Settings) -> Sequence[Path]:
    """Return the files of an open-vocabulary model, and those of its text encoder."""
    if kinds.find_kind(spec.model, settings) == "words":
        return list(list_files(families.find_folder(spec.model, settings)))
    return [weights.weights_of(spec, settings), *encoder_files(text_encoder, settings)]


def load_word_model(spec: ModelSpec, settings: Settings) -> "WordModel":
    """Load a model of transformers; code in its folder is not run.

    Raises:
        ModelError: it is of another kind, a file is missing, or ENGINE cannot run it.
    """
    folder = families.find_folder(spec.model, settings)
    kind = families.model_type(folder)
    if kind not in kinds.WORD_MODEL_CLASSES:
        raise ModelError(
            f'{spec.label} is a model of the type "{kind}", which finds no boxes by words;'
            f" supported: {', '.join(kinds.WORD_MODEL_CLASSES)}"
        )
    converts = kind.startswith("owl") or kind in families.GROUNDING_TYPES
    engines = {"auto", "torch", *({"openvino"} if converts else ())}
    if settings.engine not in engines:
        others = " or ".join(sorted(engines - {"auto"}))
        raise ModelError(f"ENGINE={settings.engine}: {spec.label} runs on {others} (auto)")
    device = choose_device(settings)
    loaded = load_model(folder, kinds.WORD_MODEL_CLASSES[kind], device, families.TEXT_FILES)
    key = f"{spec.label}-{hash_files(list_files(folder))[:16]}" if converts else ""
    if kind.startswith("owl"):
        return _build_owl(spec, key, loaded, settings)
    if kind in families.GROUNDING_TYPES:
        return _build_grounding(spec, key, loaded, settings)
    from backends.detection.open_vocabulary.sam3 import Sam3

    return WordModel(spec.label, Sam3(loaded), loaded.device)


def _build_grounding(
    spec: ModelSpec, key: str, loaded: LoadedModel, settings: Settings
) -> "WordModel":
    from backends.detection.open_vocabulary.captions import split_captions
    from backends.detection.open_vocabulary.grounding_dino import GroundingDino
    from backends.detection.open_vocabulary.grounding_openvino import load_runner

    max_tokens = int(loaded.network.config.max_text_len)
    compared = next(split_captions(COMPARED_WORDS, loaded.tokenizer, max_tokens))
    runner = load_runner(loaded, key, compared.tokens, settings)
    finder = GroundingDino(runner, loaded.tokenizer, max_tokens)
    return WordModel(spec.label, finder, loaded.device, engine=runner.name)


def _build_owl(spec: ModelSpec, key: str, loaded: LoadedModel, settings: Settings) -> "WordModel":
    from backends.detection.open_vocabulary.owl import Owl
    from backends.detection.open_vocabulary.owl_trunk import load_trunk

    trunk = load_trunk(loaded, key, settings)
    owl = Owl(loaded, trunk)
    return WordModel(spec.label, owl, loaded.device, engine=trunk.part.name, example_finder=owl)


@dataclass(frozen=True)
class WordModel:
    """A model of transformers, the words that it is asked for, and the thresholds of its output."""

    label: str
    finder: WordFinder
    device: str
    words: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    keypoint_names: tuple[str, ...] = ()
    examples: DrawnExamples | None = None
    engine: str = ""
    example_finder: ExampleFinder | None = None
    """The same model, if it finds what looks like examples on other images."""
    embedded: Embedded | None = None

    def describe_engine(self) -> str:
        """Return what it runs on."""
        return self.engine or f"PyTorch on {self.device}"

    def known_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return all words: any can be looked for."""
        return tuple(words)

    def with_words(self, words: Sequence[str]) -> "WordModel":
        """Return the same model for other words; UnfillableError if there are none."""
        if not words:
            raise UnfillableError(
                f"{self.label} is asked for nothing: no label of the control tag has a word, in"
                " predicted_values, value, hint or alias"
            )
        return replace(self, words=tuple(words))

    def with_examples(self, examples: DrawnExamples) -> "WordModel":
        """Return the same model for what looks like examples, by the labels of these."""
        return replace(self, words=examples.labels, examples=examples)

    def with_annotated(self, examples: ExampleSet) -> "WordModel":
        """Return the same model for what looks like examples on other images, by their labels."""
        if self.example_finder is None:
            raise alike_error(self.label)
        embedded = self.example_finder.embed_annotated(examples)
        return replace(self, words=tuple(dict.fromkeys(embedded.labels)), embedded=embedded)

    def with_thresholds(self, thresholds: Thresholds) -> "WordModel":
        """Return the same model with other thresholds."""
        return replace(self, thresholds=thresholds)

    def embed(self, images: Sequence[Image]) -> None:
        """Return None: what it makes of an image depends on words."""
        return

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Return the objects on each image, highest score first."""
        if self.examples is not None:
            return [self._find_alike(image, self.examples) for image in images]

        def find(batch: Sequence[Image]) -> list[Detections]:
            found = self._find(batch)
            return [self._select(one, image.size) for one, image in zip(found, batch, strict=True)]

        return run_by_size(images, batch_images(self.device), find)

    def _find(self, images: Sequence[Image]) -> list[FoundObjects]:
        """Return what words name, or else what looks like examples on other images."""
        if self.example_finder is not None and self.embedded is not None:
            least = self.thresholds.min_score
            return self.example_finder.find_embedded(images, self.embedded, least)
        return self.finder.find(images, self.words, self.thresholds.min_score)

    def _find_alike(self, image: Image, examples: DrawnExamples) -> Detections:
        found = self.finder.find_alike(image, examples, self.thresholds.min_score)
        if found is None:
            raise examples_error(self.label)
        return self._select(found, image.size)

    def _select(self, objects: FoundObjects, size: ImageSize) -> Detections:
        """Merge the boxes of an object, as in other networks."""
        import torch
        from torchvision.ops import batched_nms

        edges = np.array([size.width, size.height] * 2, np.float32)
        boxes = np.clip(objects.boxes, 0, edges).astype(np.float32)
        arrays = (torch.from_numpy(one) for one in (boxes, objects.scores, objects.classes))
        rows = batched_nms(*arrays, self.thresholds.iou).numpy()[:MAX_OBJECTS]
        masks = objects.masks
        return Detections(
            size,
            self.words,
            boxes[rows],
            objects.scores[rows],
            objects.classes[rows],
            masks=None if masks is None else ScaledMasks(size, masks[rows]),
            iou_threshold=self.thresholds.iou,
        )

"""Images and image lists (`valueList`), of which only a few images are decoded at a time."""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.detections import Detections
from backends.detection.model.detector import Thresholds
from backends.detection.open_vocabulary.drawn_examples import DrawnExamples
from backends.detection.open_vocabulary.example_table import ExampleSet
from backends.detection.open_vocabulary.typed_words import TypedWord
from shared.backend.claim import Claim
from shared.backend.label_map import LabelMap
from shared.errors import TaskError, UnfillableError
from shared.media.image import Image, decode_image

# Images of a list that the network gets at once.
CHUNK_IMAGES = 8
# Upper limit of their decoded size: a chunk is closed when it reaches this.
CHUNK_BYTES = 64_000_000
# Images that are decoded at a time, each in a thread, while the network runs on those before.
DECODE_THREADS = 4


@dataclass(frozen=True, eq=False)
class ListedImage:
    """An image file of a list that is not decoded yet."""

    file: bytes
    item_index: int
    max_megapixels: float


@dataclass(frozen=True, eq=False)
class ImageView:
    """An image, and the thresholds with which the network's output for it is decoded.

    `words` are what to find on it, for a network that finds any; others have classes. `typed` says
    how an annotator has typed them. With `examples`, which are on it, or `annotated` ones on other
    images, what looks like them is found.
    """

    image: Image | ListedImage
    thresholds: Thresholds
    words: tuple[str, ...] = ()
    typed: tuple[TypedWord, ...] = ()
    examples: DrawnExamples | None = None
    item_index: int | None = None
    annotated: ExampleSet | None = None


@dataclass(frozen=True, eq=False)
class ImageList:
    """The image of a task, or those of its list, and all thresholds that its control tags ask for.

    Each part is inferred by itself: other tasks get their turns between them, and none of a long
    list is started after the deadline. `words` are what to find on them, for an open vocabulary.
    """

    images: tuple[Image | ListedImage, ...]
    thresholds: tuple[Thresholds, ...]
    words: tuple[str, ...] = ()
    typed: tuple[TypedWord, ...] = ()
    examples: DrawnExamples | None = None
    item_index: int | None = None
    """The place in its list of the image that examples are drawn on."""
    annotated: tuple[ExampleSet, ...] = ()
    """Examples on other images, of each control tag that asks for them."""

    @property
    def parts(self) -> tuple[ImageView, ...]:
        """Each image with each of the thresholds: by words, and by each set of examples."""
        asked = (None, *self.annotated) if self.words or not self.annotated else self.annotated
        return tuple(
            self._view(image, one, annotated)
            for image in self.images
            for one in self.thresholds
            for annotated in asked
        )

    def _view(
        self, image: Image | ListedImage, thresholds: Thresholds, annotated: ExampleSet | None
    ) -> ImageView:
        if annotated is not None:
            return ImageView(image, thresholds, annotated=annotated)
        return ImageView(image, thresholds, self.words, self.typed, self.examples, self.item_index)


class ImageDetections(NamedTuple):
    """The detections on one image; `item_index` is None where the tag shows a single image.

    `typed` are the words that an annotator typed to get them; `is_alike` says that they look like
    what an annotator drew on it, and `examples_of` that they look like what is annotated elsewhere
    with that control tag: their classes are labels.
    """

    item_index: int | None
    detections: Detections
    typed: tuple[TypedWord, ...] = ()
    is_alike: bool = False
    examples_of: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether an annotator waits for them: they are for all control tags."""
        return self.is_alike or bool(self.typed)


class ImageNetwork(Protocol):
    """What detects on images: a `Detector`, or a model of transformers."""

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """The labels of its key points, where it was trained on them."""

    def known_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return which words it can find: its classes where these are fixed."""

    def with_words(self, words: Sequence[str]) -> "ImageNetwork":
        """Return the same network for other words; UnfillableError if it knows none of them."""

    def with_examples(self, examples: DrawnExamples) -> "ImageNetwork":
        """Return the same network for what looks like examples; UnfillableError if it takes none.

        The labels of the examples are its classes.
        """

    def with_annotated(self, examples: ExampleSet) -> "ImageNetwork":
        """Return the same network for what looks like examples on other images.

        The labels of the examples are its classes. UnfillableError if it takes none, or if none
        of them can be used.
        """

    def with_thresholds(self, thresholds: Thresholds) -> "ImageNetwork":
        """Return the same network with other thresholds."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Return the detections on each image."""

    def embed(self, images: Sequence[Image]) -> NDArray[np.float32] | None:
        """Return a vector of each image; None if it has none."""

    def describe_engine(self) -> str:
        """Return what it runs on, and why on nothing faster."""


@dataclass(eq=False)
class ImageDetector:
    """A network for images."""

    network: ImageNetwork
    _decoders: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        # It starts its threads with the first list, and ends them with the model.
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, "image decoder")

    def describe_engine(self) -> str:
        """Return what the network runs on, and why on nothing faster."""
        return self.network.describe_engine()

    def count_known_labels(self, claim: Claim) -> int:
        """Count the labels of a claim for which the network has a class, or a key point."""
        if "examples" in claim.options:
            return len(claim.options["examples"].labels)
        asked = self.network.known_words(claim.options.get("words", ()))
        names = *asked, *self.network.keypoint_names
        maps = (LabelMap.build(control, names) for control in claim.controls)
        return sum(len(set(label_map.to_label.values())) for label_map in maps)

    def infer(self, views: Sequence[ImageView]) -> list[ImageDetections | TaskError]:
        """Detect on each image; those with the same thresholds and words share the runs.

        An error takes the place of an output where the network knows none of the words, or finds
        nothing by examples.
        """
        found: dict[int, ImageDetections | TaskError] = {}
        groups: dict[Hashable, list[int]] = {}
        for index, view in enumerate(views):
            annotated = None if view.annotated is None else view.annotated.digest
            key = view.thresholds, view.words, view.examples, annotated
            groups.setdefault(key, []).append(index)
        for indices in groups.values():
            images = [views[i].image for i in indices]
            try:
                detected = list(self._detect(self._network_for(views[indices[0]]), images))
            except UnfillableError as error:
                found |= dict.fromkeys(indices, error)
                continue
            found |= {
                index: _describe(views[index], detections)
                for index, detections in zip(indices, detected, strict=True)
            }
        return [found[index] for index in range(len(views))]

    def _network_for(self, view: ImageView) -> ImageNetwork:
        """Return the network as it is asked; UnfillableError if it cannot find that."""
        network = self.network.with_thresholds(view.thresholds)
        if view.annotated is not None:
            return network.with_annotated(view.annotated)
        if view.examples is not None:
            return network.with_examples(view.examples)
        return network.with_words(view.words)

    def embed(self, views: Sequence[ImageView]) -> NDArray[np.float32] | None:
        """Return a vector of each image, shape (images, channels); see `Detector.embed`."""
        images = [view.image for view in views]
        return self.network.embed(
            [_decode_file(image) if isinstance(image, ListedImage) else image for image in images]
        )

    def _detect(
        self, network: ImageNetwork, images: Sequence[Image | ListedImage]
    ) -> Iterator[Detections]:
        files = [image for image in images if isinstance(image, ListedImage)]
        chunks = decoded_chunks(files, self._decoders)
        listed = (detections for chunk in chunks for detections in network.detect(chunk))
        single = iter(network.detect([image for image in images if isinstance(image, Image)]))
        for image in images:
            yield next(listed if isinstance(image, ListedImage) else single)


def _describe(view: ImageView, detections: Detections) -> ImageDetections:
    if view.examples is not None:
        return ImageDetections(view.item_index, detections, is_alike=True)
    number = getattr(view.image, "item_index", None)
    if view.annotated is not None:
        return ImageDetections(number, detections, examples_of=view.annotated.control)
    return ImageDetections(number, detections, view.typed)


def decoded_chunks(
    files: Iterable[ListedImage], decoders: ThreadPoolExecutor
) -> Iterator[list[Image]]:
    """Decode images and yield them in order, a few at a time; DecodeError for an unreadable one."""
    remaining = iter(files)
    chunk: list[Image] = []
    queue = deque(decoders.submit(_decode_file, file) for file in islice(remaining, DECODE_THREADS))
    try:
        while queue:
            chunk.append(queue.popleft().result())
            queue.extend(decoders.submit(_decode_file, file) for file in islice(remaining, 1))
            if (
                len(chunk) == CHUNK_IMAGES
                or sum(image.pixels.nbytes for image in chunk) >= CHUNK_BYTES
            ):
                yield chunk
                chunk = []
        if chunk:
            yield chunk
    finally:  # after an error the rest of the list is not needed
        for future in queue:
            future.cancel()


def decoded_images(item: ImageList) -> Iterator[Image]:
    """Yield the images of an item, each decoded when it is asked for."""
    for image in item.images:
        yield _decode_file(image) if isinstance(image, ListedImage) else image


def _decode_file(image: ListedImage) -> Image:
    return decode_image(image.file, image.max_megapixels)

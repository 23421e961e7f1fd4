"""Images and image lists (`valueList`), of which only a few images are decoded at a time."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector, Thresholds
from shared.backend.claim import Claim
from shared.backend.label_map import LabelMap
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
    """An image, and the thresholds with which the network's output for it is decoded."""

    image: Image | ListedImage
    thresholds: Thresholds


@dataclass(frozen=True, eq=False)
class ImageList:
    """The image of a task, or those of its list, and all thresholds that its control tags ask for.

    Each part is inferred by itself: other tasks get their turns between them, and none of a long
    list is started after the deadline.
    """

    images: tuple[Image | ListedImage, ...]
    thresholds: tuple[Thresholds, ...]

    @property
    def parts(self) -> tuple[ImageView, ...]:
        """Each image with each of the thresholds."""
        return tuple(ImageView(image, one) for image in self.images for one in self.thresholds)


class ImageDetections(NamedTuple):
    """The detections on one image; `item_index` is None where the tag shows a single image."""

    item_index: int | None
    detections: Detections


@dataclass(eq=False)
class ImageDetector:
    """A network for images."""

    network: Detector
    _decoders: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        # It starts its threads with the first list, and ends them with the model.
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, "image decoder")

    def count_known_labels(self, claim: Claim) -> int:
        """Count the labels of a claim for which the network has a class, or a key point."""
        names = *self.network.class_names, *self.network.spec.keypoint_names
        maps = (LabelMap.build(control, names) for control in claim.controls)
        return sum(len(set(label_map.to_label.values())) for label_map in maps)

    def infer(self, views: Sequence[ImageView]) -> list[ImageDetections]:
        """Detect on each image; those with the same thresholds share the network's runs."""
        detections: dict[int, Detections] = {}
        for thresholds in dict.fromkeys(view.thresholds for view in views):
            network = self.network.with_thresholds(thresholds)
            indices = [i for i, view in enumerate(views) if view.thresholds == thresholds]
            images = [views[i].image for i in indices]
            detections |= zip(indices, self._detect(network, images), strict=True)
        return [
            ImageDetections(getattr(view.image, "item_index", None), detections[index])
            for index, view in enumerate(views)
        ]

    def embed(self, views: Sequence[ImageView]) -> NDArray[np.float32] | None:
        """Return a vector of each image, shape (images, channels); see `Detector.embed`."""
        images = [view.image for view in views]
        return self.network.embed(
            [_decode_file(image) if isinstance(image, ListedImage) else image for image in images]
        )

    def _detect(
        self, network: Detector, images: Sequence[Image | ListedImage]
    ) -> Iterator[Detections]:
        files = [image for image in images if isinstance(image, ListedImage)]
        chunks = decoded_chunks(files, self._decoders)
        listed = (detections for chunk in chunks for detections in network.detect(chunk))
        single = iter(network.detect([image for image in images if isinstance(image, Image)]))
        for image in images:
            yield next(listed if isinstance(image, ListedImage) else single)


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


def _decode_file(image: ListedImage) -> Image:
    return decode_image(image.file, image.max_megapixels)

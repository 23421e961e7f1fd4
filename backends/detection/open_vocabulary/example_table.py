"""Embeddings of what is drawn on other pictures, which take the place of those of words."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache

from backends.detection.open_vocabulary.drawn_examples import DrawnBoxes, DrawnExamples, Floats
from shared.errors import FetchError, TaskError, UnfillableError
from shared.media.image import decode_image

# Pictures whose embeddings a network keeps.
KEPT_PICTURES = 1024


@dataclass(eq=False)
class ExamplePicture:
    """An annotated picture, read once; its file is kept until the network has looked at it."""

    boxes: DrawnBoxes
    digest: str
    max_megapixels: float
    fetch: Callable[[], bytes]
    file: bytes | None = None

    def take(self) -> DrawnExamples:
        """Return the examples on the picture; it is fetched again if a network took it before."""
        file, self.file = self.file or self.fetch(), None
        return self.boxes.on_image(decode_image(file, self.max_megapixels))


@dataclass(frozen=True, eq=False)
class ExampleSet:
    """The examples of one control tag: what each of the `labels` looks like, in pictures.

    Equal ones have the same `digest`, which is that of the pictures' files and boxes.
    """

    control: str
    labels: tuple[str, ...]
    pictures: tuple[ExamplePicture, ...]
    digest: str


class Embedded(NamedTuple):
    """Embeddings (n, dimensions) and the label of each."""

    labels: tuple[str, ...]
    vectors: Floats


class ExampleTable:
    """The embeddings of annotated pictures for one network: computed once for each of them."""

    def __init__(self) -> None:
        # Or why a picture has none.
        self._kept: LRUCache[str, Embedded | TaskError] = LRUCache(KEPT_PICTURES)
        self._lock = threading.Lock()

    def embed(
        self,
        examples: ExampleSet,
        compute: Callable[[DrawnExamples], Embedded],
        kind: str = "",
    ) -> list[Embedded]:
        """Return the embeddings of each picture; `kind` tells apart different ones of the same.

        A picture on which nothing can be embedded costs itself: UnfillableError if that are all.
        """
        found, reasons = [], []
        for picture in examples.pictures:
            one = self._embed(picture, compute, kind)
            if isinstance(one, TaskError):
                reasons.append(str(one))
            else:
                found.append(one)
        if not found:
            raise UnfillableError(f"No annotated example can be used: {reasons[0]}")
        return found

    def _embed(
        self, picture: ExamplePicture, compute: Callable[[DrawnExamples], Embedded], kind: str
    ) -> Embedded | TaskError:
        key = f"{picture.digest} {kind}"
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                return known
            try:
                found: Embedded | TaskError = compute(picture.take())
            except FetchError as error:  # it may be there the next time
                return error
            except TaskError as error:
                found = error
            self._kept[key] = found
            return found


def mean_by_label(parts: Sequence[Embedded]) -> Embedded:
    """Return one embedding for each label: the mean of those in all pictures, of length 1.

    So Ultralytics does it with the pictures of a data set.
    """
    labels = tuple(dict.fromkeys(label for one in parts for label in one.labels))
    rows = []
    for label in labels:
        own = [one.vectors[one.labels.index(label)] for one in parts if label in one.labels]
        total = np.sum(own, axis=0)
        rows.append(total / max(float(np.linalg.norm(total)), 1e-12))
    return Embedded(labels, np.stack(rows).astype(np.float32))


def alike_error(model: str) -> UnfillableError:
    """Return the error of a model that finds nothing by other pictures; it says which do."""
    return UnfillableError(
        f"{model} finds nothing by examples in other pictures; YOLOE, OWLv2 and OWL-ViT do"
    )

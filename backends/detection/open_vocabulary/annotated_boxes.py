"""Boxes that are annotated in tasks of a project: what looks like them is found in the others."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from backends.detection.open_vocabulary.drawn_examples import (
    MAX_EXAMPLES,
    DrawnBoxes,
    boxes_of_regions,
)
from backends.detection.open_vocabulary.example_table import ExamplePicture, ExampleSet
from backends.detection.tags.tag_options import base_tag
from shared.backend.annotated_examples import (
    ATTRIBUTE,
    AnnotatedExamples,
    AnnotatedRegions,
    asks_for_examples,
)
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ConfigError, FetchError, TaskError
from shared.label_studio.label_config import Control, ObjectTag
from shared.media.reader import MediaReader

logger = logging.getLogger(__name__)

# The examples of a claim, and those of all claims that share its run of the model.
OPTION, SHARED_OPTION = "examples", "all_examples"
# Pictures that could not be fetched are tried again after this long.
RETRY_SECONDS = 60.0


class _Source(NamedTuple):
    """Where an annotated picture is, and what is drawn on it."""

    task: Any
    address: str
    boxes: DrawnBoxes


@dataclass(eq=False, repr=False)
class AnnotatedBoxes:
    """The boxes that a control tag has in the annotated tasks of a project, not read yet.

    As a text it is its digest: another one is another model version.
    """

    control: str
    sources: tuple[_Source, ...]
    digest: str
    _read: ExampleSet | None = None
    _again_at: float = math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of_control(
        cls, control: Control, target: ObjectTag, examples: AnnotatedExamples | None
    ) -> "AnnotatedBoxes":
        """Return the last boxes of a control tag; ConfigError says why there are none."""
        if examples is None:
            raise _no_examples(
                control,
                "annotated tasks are read by a server that Label Studio asks, and by `prelabel"
                " predict`",
            )
        sources: list[_Source] = []
        count = 0
        for annotated in reversed(examples.tasks):
            for source in _sources_of(annotated, control, target):
                left = MAX_EXAMPLES - count
                count += len(source.boxes.labels)
                if left > 0:
                    sources.append(source._replace(boxes=source.boxes.first(left)))
        if count > MAX_EXAMPLES:
            logger.warning(
                "%s: %d boxes are annotated with it; %d of them, in the last tasks, are examples",
                control,
                count,
                MAX_EXAMPLES,
            )
        if not sources:
            notes = "; ".join(examples.notes)
            raise _no_examples(
                control, notes or "no box with a label of it is annotated in the project yet"
            )
        return cls(control.name, tuple(sources), examples.digest)

    def __repr__(self) -> str:
        return self.digest

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have examples, each once."""
        return tuple(dict.fromkeys(label for one in self.sources for label in one.boxes.labels))

    def read(self, media: MediaReader, max_megapixels: float) -> ExampleSet:
        """Return the examples with their pictures, which are fetched once.

        One that cannot be fetched is left out, with a warning, and tried again after a while;
        FetchError if that are all.
        """
        with self._lock:
            if self._read is None or time.monotonic() > self._again_at:
                self._read = self._fetch(media, max_megapixels)
                is_whole = len(self._read.pictures) == len(self.sources)
                self._again_at = math.inf if is_whole else time.monotonic() + RETRY_SECONDS
            return self._read

    def _fetch(self, media: MediaReader, max_megapixels: float) -> ExampleSet:
        pictures, reasons = [], []
        for source in self.sources:

            def fetch(source: _Source = source) -> bytes:
                return media.fetch(source.address, source.task)

            try:
                file = fetch()
            except TaskError as error:
                reasons.append(f"task {source.task}: {error}")
                logger.warning("An annotated example is left out: %s", reasons[-1])
                continue
            digest = _digest(file, source.boxes)
            pictures.append(ExamplePicture(source.boxes, digest, max_megapixels, fetch, file))
        if not pictures:
            raise FetchError(f"No picture with an annotated example can be read: {reasons[0]}")
        labels = tuple(dict.fromkeys(label for one in pictures for label in one.boxes.labels))
        joined = "\n".join([self.control, *labels, *(one.digest for one in pictures)])
        digest = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
        return ExampleSet(self.control, labels, tuple(pictures), digest)


def _sources_of(
    annotated: AnnotatedRegions, control: Control, target: ObjectTag
) -> Iterator[_Source]:
    """Yield the pictures of a task on which a control tag has boxes with a label."""
    by_image: dict[int | None, list[Any]] = {}
    for region in annotated.of_control(control):
        if next(iter(region.values)).to_name == target.name:
            by_image.setdefault(region.region_keys.get("item_index"), []).append(region)
    try:
        addresses = dict(annotated.task.media_addresses(target)) if by_image else {}
        for index, regions in by_image.items():
            boxes = boxes_of_regions(regions, index)
            if boxes is not None and index in addresses:
                yield _Source(annotated.task.id, addresses[index], boxes)
    except TaskError as error:
        logger.warning("Task %s gives no example: %s", annotated.task.id, error)


def _digest(file: bytes, boxes: DrawnBoxes) -> str:
    digest = hashlib.sha256(file)
    digest.update(boxes.corners.tobytes())
    digest.update("\n".join(boxes.labels).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _no_examples(control: Control, reason: str) -> ConfigError:
    return ConfigError(
        f'{control} has {ATTRIBUTE}="annotated", and there are no examples: {reason}. Draw a box'
        " around what is to be found in one task, submit it, and ask for predictions again",
        control.name,
    )


def read_examples(
    group: Sequence[Control],
    target: ObjectTag,
    model: str,
    is_open: bool,
    examples: AnnotatedExamples | None,
) -> dict[str, AnnotatedBoxes]:
    """Return the option of a claim whose control tag asks for examples; none for others.

    ConfigError says why it gets none: `is_open` is whether the model has an open vocabulary.
    """
    control = group[0]
    if not asks_for_examples(control):
        return {}
    if base_tag(control) != "Rectangle" or not group[-1].has_labels:
        raise ConfigError(
            f"{control} has {ATTRIBUTE}, which is for RectangleLabels, and for Rectangle with"
            " Labels: examples are boxes with a label",
            control.name,
        )
    if not is_open:
        raise ConfigError(
            f"{control} has {ATTRIBUTE}, and {model} knows its own classes alone; YOLOE, OWLv2 and"
            " OWL-ViT find what looks like examples",
            control.name,
        )
    return {OPTION: AnnotatedBoxes.of_control(control, target, examples)}


def share_examples(claims: Sequence[Claim]) -> list[Claim]:
    """Tell the claims of one model on one object tag the examples of all: they share its run."""
    groups: dict[tuple[str, ModelSpec], list[AnnotatedBoxes]] = {}
    for claim in claims:
        if OPTION in claim.options:
            groups.setdefault((claim.object.name, claim.spec), []).append(claim.options[OPTION])
    return [
        replace(claim, options={**claim.options, SHARED_OPTION: tuple(group)})
        if (group := groups.get((claim.object.name, claim.spec)))
        else claim
        for claim in claims
    ]

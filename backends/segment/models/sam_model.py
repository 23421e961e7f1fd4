"""A SAM of any family: images and prompts in, masks out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from backends._inference.network_part import Arrays, Part, PartSource, load_part
from backends.segment.models.frames import Frame
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.models.strokes import all_points
from backends.segment.prompts import Floats, ObjectPrompt
from shared.media.image import Pixels
from shared.results import ImageSize
from shared.settings import Settings

# Labels of points, as the network's table of embeddings has them.
NO_POINT, NEGATIVE, POSITIVE, FIRST_CORNER, LAST_CORNER = range(5)
# Objects that the decoder gets at once: each takes some 20 MB while it runs.
MAX_OBJECTS = 16


class SamSource(NamedTuple):
    """What a SAM is loaded from.

    `projection` makes of the first of the encoder's features what decoders take in its place,
    where these do not take it as it is.
    `decoders` are the part that gives one mask, and the part that gives several for a single
    click, which may mean a thing, a part of it, or what it belongs to. SAM 2 and 3 `pads_boxes`:
    a point of no meaning follows the prompts in any case; in SAM, only where there is no box.
    """

    frame: Frame
    encoder: PartSource
    projection: PartSource | None
    decoders: tuple[PartSource, PartSource]
    mask_side: int
    pads_boxes: bool


class _Tokens(NamedTuple):
    """The points of a prompt, in pixels of the image, and their labels."""

    points: list[tuple[float, float]]
    labels: list[int]


@dataclass(frozen=True)
class SamModel:
    """A SAM on its engine. See `PromptableModel`.

    `single` gives one mask, `several` those of a single click. What `projection` makes of an
    embedding is `kept` as long as that, so that a further click need not make it again.
    """

    frame: Frame
    mask_side: int
    pads_boxes: bool
    encoder: Part
    projection: Part | None
    single: Part
    several: Part
    kept: WeakKeyDictionary[Embedding, Arrays] = field(default_factory=WeakKeyDictionary)

    @classmethod
    def load(cls, source: SamSource, settings: Settings) -> "SamModel":
        """Load all parts; ModelError if ENGINE names an engine that cannot run them."""
        encoder = load_part(source.encoder, settings)
        made = source.projection
        projection = None if made is None else load_part(made, settings)
        single, several = (load_part(part, settings) for part in source.decoders)
        # Not the source itself: it may hold the network that was converted.
        shape = source.frame, source.mask_side, source.pads_boxes
        return cls(*shape, encoder, projection, single, several)

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        features = self.encoder.run([self.frame.prepare(image)], leaves_core)
        arrays = {f"level_{index}": array for index, array in enumerate(features)}
        return Embedding(arrays, ImageSize(image.shape[1], image.shape[0]))

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> Sequence[MaskPrediction]:
        found: dict[int, MaskPrediction] = {}
        for indices in self._groups(prompts):
            group = [prompts[index] for index in indices]
            masks = self._decode_group(embedding, group, leaves_core)
            found.update(zip(indices, masks, strict=True))
        return [found[index] for index in range(len(prompts))]

    def describe_engine(self) -> str:
        names = list(dict.fromkeys([self.encoder.name, self.single.name]))
        return names[0] if len(names) == 1 else f"{names[0]}; masks: {names[1]}"

    def _groups(self, prompts: Sequence[ObjectPrompt]) -> Iterator[list[int]]:
        """Yield the indices of prompts that can share a run: as many points, no earlier mask."""
        alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            alone = index if prompt.previous_logits is not None else -1
            tokens = self._tokens(prompt)
            alike[len(tokens.labels), is_ambiguous(prompt), alone].append(index)
        for indices in alike.values():
            for start in range(0, len(indices), MAX_OBJECTS):
                yield indices[start : start + MAX_OBJECTS]

    def _decode_group(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool
    ) -> Iterator[MaskPrediction]:
        features = self._features(embedding, leaves_core)
        tokens = [self._tokens(prompt) for prompt in prompts]
        points = np.array([one.points for one in tokens], np.float32)
        labels = np.array([one.labels for one in tokens], np.int64)
        placed = self.frame.place_points(points, embedding.size)
        earlier, has_earlier = self._earlier(prompts[0])
        part = self.several if is_ambiguous(prompts[0]) else self.single
        logits, scores = part.run([*features, placed, labels, earlier, has_earlier], leaves_core)
        best = scores.argmax(1)
        for row, column in enumerate(best):
            mask_logits = logits[row, column]
            restored = self.frame.restore(mask_logits[None], embedding.size)[0]
            score = float(np.clip(scores[row, column], 0, 1))
            yield MaskPrediction(restored > 0, mask_logits, score)

    def _features(self, embedding: Embedding, leaves_core: bool) -> Arrays:
        """Return what decoders take of an image."""
        known = self.kept.get(embedding)
        if known is not None:
            return known
        features = [embedding.arrays[f"level_{index}"] for index in range(len(embedding.arrays))]
        if self.projection is not None:
            features[:1] = self.projection.run(features[:1], leaves_core)
        self.kept[embedding] = features
        return features

    def _tokens(self, prompt: ObjectPrompt) -> _Tokens:
        points = all_points(prompt)
        places = [(point.x, point.y) for point in points]
        labels = [POSITIVE if point.is_positive else NEGATIVE for point in points]
        if prompt.box is not None:
            box = prompt.box
            places += [(box.left, box.top), (box.right, box.bottom)]
            labels += [FIRST_CORNER, LAST_CORNER]
        if prompt.box is None or self.pads_boxes:
            places.append((0.0, 0.0))
            labels.append(NO_POINT)
        return _Tokens(places, labels)

    def _earlier(self, prompt: ObjectPrompt) -> tuple[Floats, NDArray[np.float32]]:
        side = self.mask_side
        if prompt.previous_logits is None:
            return np.zeros((1, 1, side, side), np.float32), np.zeros(1, np.float32)
        logits = np.asarray(prompt.previous_logits, np.float32)
        return logits.reshape(1, 1, side, side), np.ones(1, np.float32)


def is_ambiguous(prompt: ObjectPrompt) -> bool:
    """Return whether a prompt is a single click, of which SAM makes several masks."""
    only_clicks = prompt.box is None and prompt.stroke is None and prompt.previous_logits is None
    return only_clicks and len(prompt.points) == 1 and prompt.points[0].is_positive

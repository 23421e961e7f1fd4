"""A loaded model and what is kept of images: a click on a known image runs the decoder alone."""

import hashlib
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache

from backends.segment.click_priority import ClickPriority, YieldingThread
from backends.segment.drawn_objects import DrawnImage, DrawnObject, scale_prompt
from backends.segment.embedding_cache import EmbeddingCache, EmbeddingKey
from backends.segment.everything import find_all_objects
from backends.segment.models.promptable_model import Embedding, MaskPrediction, PromptableModel
from backends.segment.prompts import BinaryMask, Floats, ObjectPrompt
from shared.errors import TaskError
from shared.media.image import Image
from shared.results import ImageSize

# A click refines the mask of those before it, up to this one; later ones refine its mask. So the
# answer follows from the clicks alone, and takes no more runs of the decoder than these.
MAX_REFINED_CLICKS = 8
# Masks of earlier clicks that are kept, some 256 KB each.
KEPT_LOGITS = 128
# A click waits no longer for the same image in bulk work, which gives way to all others.
MAX_WAIT_FOR_BULK_SECONDS = 1.0
# Objects that the decoder gets at once: their masks are as large as the image.
CHUNK = 16


@dataclass(frozen=True, eq=False)
class SegmentItem:
    """An image, and what is drawn on it; None: it is only embedded.

    `image` is decoded already if its embedding was not known when the task was read. With
    `grid_clicks` along its longer side all objects are found, on the image at `item_index` of a
    list.
    """

    digest: str
    image: Image | None
    read_again: Callable[[], Image]
    drawn: DrawnImage | None = None
    grid_clicks: int = 0
    item_index: int | None = None

    def cache_key(self) -> Hashable | None:
        """Return what the answer depends on; None for an item that is only embedded."""
        if self.grid_clicks:
            return self.digest, self.item_index, self.grid_clicks
        if self.drawn is None:
            return None
        objects = tuple(
            (one.label, one.region_id, one.score, prompt_key(one.prompt))
            for one in self.drawn.objects
        )
        return self.digest, tuple(self.drawn.frame), self.drawn.item_index, objects

    @property
    def is_click(self) -> bool:
        """Whether a user has drawn on the image, and waits; boxes that were found have scores."""
        return self.drawn is not None and any(one.score is None for one in self.drawn.objects)

    @property
    def is_bulk(self) -> bool:
        """Whether masks are wanted for which nobody waits in the editor."""
        return self.grid_clicks > 0 or (self.drawn is not None and not self.is_click)


class SegmentedObject(NamedTuple):
    """The mask of one object, cut to what it covers: `pixels` begin at `left` and `top`."""

    label: str
    region_id: str
    score: float
    left: int
    top: int
    pixels: BinaryMask

    def full_mask(self, size: ImageSize) -> BinaryMask:
        """Return the mask of the whole image."""
        mask = np.zeros((size.height, size.width), bool)
        height, width = self.pixels.shape
        mask[self.top : self.top + height, self.left : self.left + width] = self.pixels
        return mask


@dataclass(frozen=True)
class SegmentedImage:
    """The objects found on one image; none if nothing was drawn."""

    objects: tuple[SegmentedObject, ...] = ()
    size: ImageSize | None = None
    item_index: int | None = None


class Segmenter:
    """Embeds images and answers prompts with a model. Used by several threads."""

    def __init__(self, model: PromptableModel, cache: EmbeddingCache, model_hash: str) -> None:
        self.model = model
        self._cache = cache
        self._model_hash = model_hash
        self._priority = ClickPriority()
        self._yielding = YieldingThread()
        self._encoding, self._encoding_bulk = threading.Lock(), threading.Lock()
        self._in_bulk: tuple[EmbeddingKey | None, threading.Event] = None, threading.Event()
        self._logits_lock = threading.Lock()
        self._logits: LRUCache[Hashable, Floats] = LRUCache(KEPT_LOGITS)

    def run(self, item: SegmentItem) -> SegmentedImage:
        """Return what an item asks for."""
        return self.segment(item)

    def segment(self, item: SegmentItem) -> SegmentedImage:
        """Return the mask of each object that is drawn; the image is embedded if need be.

        Bulk work pauses while clicks are answered.
        """
        if not item.is_click:
            return self._segment(item)
        with self._priority.answer_click():
            return self._segment(item)

    def _segment(self, item: SegmentItem) -> SegmentedImage:
        digest, embedding = self._embed(item)
        if item.grid_clicks:
            return self._find_all(embedding, item)
        if item.drawn is None:
            return SegmentedImage()
        objects: list[SegmentedObject] = []
        for start in range(0, len(item.drawn.objects), CHUNK):
            some = item.drawn.objects[start : start + CHUNK]
            objects += self._answer(digest, embedding, some, item.drawn.frame)
        return SegmentedImage(tuple(objects), embedding.size, item.drawn.item_index)

    def _answer(
        self, digest: str, embedding: Embedding, drawn: Sequence[DrawnObject], frame: ImageSize
    ) -> Iterator[SegmentedObject]:
        """Yield the masks of objects that are drawn, but for those that are empty."""
        prompts = [scale_prompt(one.prompt, frame, embedding.size) for one in drawn]
        refining = [self._refining(digest, embedding, prompt) for prompt in prompts]
        is_click = any(one.score is None for one in drawn)
        decode = self._decode_each if is_click else self._decode_in_turn
        masks = decode(embedding, refining)
        for one, prompt, mask in zip(drawn, prompts, masks, strict=True):
            if one.score is None:  # a click may follow, which refines this mask
                self._keep_logits((digest, prompt_key(prompt)), mask.logits)
            cut = _cut_out(one.label, one.region_id, mask.mask, mask.score)
            if cut is not None:
                yield cut if one.score is None else cut._replace(score=one.score)

    def _find_all(self, embedding: Embedding, item: SegmentItem) -> SegmentedImage:
        decode = partial(self._decode_in_turn, embedding)
        masks = find_all_objects(decode, embedding.size, item.grid_clicks)
        cut = (_cut_out("", "", one.unpack(embedding.size), one.score) for one in masks)
        objects = tuple(one for one in cut if one is not None)
        return SegmentedImage(objects, embedding.size, item.item_index)

    def _decode_each(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt]
    ) -> Sequence[MaskPrediction]:
        """Return the mask for each prompt of clicks, to the bit the same whatever is beside it.

        Together they would cost about as much, and differ in the last bits.
        """
        return [mask for prompt in prompts for mask in self.model.decode(embedding, [prompt])]

    def _decode_in_turn(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt]
    ) -> Sequence[MaskPrediction]:
        """Return the mask for each prompt of bulk work: one at a time while somebody clicks.

        What is begun when a click comes runs on, on one core, and gives way on that.
        """
        if not self._priority.has_users():
            return self.model.decode(embedding, prompts)
        masks: list[MaskPrediction] = []
        for prompt in prompts:
            self._priority.let_clicks_pass()
            step = partial(self.model.decode, embedding, [prompt], leaves_core=True)
            masks += self._yielding.run(step)
        return masks

    def _embed(self, item: SegmentItem) -> tuple[str, Embedding]:
        """Return the digest and embedding of an image. One is made at a time.

        So who clicks while the image is embedded ahead waits for that. Of the processor's cores
        one is left to those who click. Bulk work beside users makes one more, which gives way.
        """
        key = EmbeddingKey(self._model_hash, item.digest)
        known = self._cache.get(key)
        if known is not None:
            return item.digest, known
        image = item.image or item.read_again()
        if image.digest != item.digest:  # the answer would be kept as that of the other image
            raise TaskError("The image has changed since it was opened: ask for it again")
        leaves_core = not item.is_click and self._priority.has_users()
        if leaves_core:
            self._priority.let_clicks_pass()
        encode = partial(self.model.encode, image.pixels, leaves_core)
        if leaves_core and item.is_bulk:
            return image.digest, self._embed_yielding(key, encode)
        self._wait_for_bulk(key)
        with self._encoding:
            return image.digest, self._cache.get(key) or self._cache.put(key, encode())

    def _embed_yielding(self, key: EmbeddingKey, encode: Callable[[], Embedding]) -> Embedding:
        with self._encoding_bulk:
            known = self._cache.get(key)
            if known is not None:
                return known
            self._in_bulk = key, threading.Event()
            try:
                return self._cache.put(key, self._yielding.run(encode))
            finally:
                self._in_bulk[1].set()

    def _wait_for_bulk(self, key: EmbeddingKey) -> None:
        """Wait a while if bulk work is embedding the same image: it may be done soon."""
        embedded, done = self._in_bulk
        if embedded == key:
            done.wait(MAX_WAIT_FOR_BULK_SECONDS)

    def _refining(self, digest: str, embedding: Embedding, prompt: ObjectPrompt) -> ObjectPrompt:
        """Return a prompt with the mask of the clicks before its last one, if there is one."""
        earlier = prompt.first_points(min(len(prompt.points) - 1, MAX_REFINED_CLICKS))
        if not prompt.points or earlier.is_empty:
            return prompt
        key = digest, prompt_key(earlier)
        with self._logits_lock:
            logits = self._logits.get(key)
        if logits is None:
            refined = self._refining(digest, embedding, earlier)
            logits = self.model.decode(embedding, [refined])[0].logits
            self._keep_logits(key, logits)
        return prompt.refining(logits)

    def _keep_logits(self, key: Hashable, logits: Floats) -> None:
        with self._logits_lock:
            self._logits[key] = logits


def prompt_key(prompt: ObjectPrompt) -> Hashable:
    """Return what identifies a prompt as the user has drawn it."""
    stroke = prompt.stroke
    painted = None
    if stroke is not None:
        painted = hashlib.blake2b(np.packbits(stroke).tobytes(), digest_size=16).hexdigest()
    points = tuple((point.x, point.y, point.is_positive) for point in prompt.points)
    box = prompt.box
    edges = None if box is None else (box.left, box.top, box.right, box.bottom)
    return points, edges, painted


def _cut_out(label: str, region_id: str, mask: BinaryMask, score: float) -> SegmentedObject | None:
    """Return a mask cut to what it covers; None if that is nothing."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    pixels = mask[top:bottom, left:right].copy()
    return SegmentedObject(label, region_id, score, int(left), int(top), pixels)

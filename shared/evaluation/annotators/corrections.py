"""What annotators made of a prediction: what they kept, corrected, deleted and added.

A region is the same in both if its id is: the editor keeps the ids of a prediction's regions when
someone corrects it (Label Studio 1.23). Regions without such an id are the same if their
similarity is at least 0.5 (see `shared.evaluation.similarity.regions`), those with equal labels
first. An answer for the whole task, or for an item of a list, is compared with the one of the same
tag.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isclose
from typing import Any, NamedTuple

import numpy as np

from shared.evaluation.annotated_task import annotated_by, labels_of, value_of
from shared.evaluation.annotators.answers import (
    NUMBER_TAGS,
    answer_key,
    as_number,
    is_label_tag,
    label_key,
)
from shared.evaluation.annotators.consensus import SAME_PLACE, is_whole_task
from shared.evaluation.metrics.metric import NO_LABEL
from shared.evaluation.similarity.areas import shapes_on
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control
from shared.media.image_size import ImageSize
from shared.results import Bitmask, Brush, ParsedRegion

# What can become of a region or an answer, in the order of a table's columns.
ACCEPTED, MOVED, RELABELLED, CHANGED = "accepted", "moved", "relabelled", "changed"
DELETED, ADDED = "deleted", "added"
OUTCOMES = (ACCEPTED, MOVED, RELABELLED, CHANGED, DELETED, ADDED)
# Up to which difference numbers of a shape are equal: of pixels, seconds, degrees.
TOLERANCE = 1e-3

Regions = Sequence[ParsedRegion]
# A predicted and an annotated region; None where there is none.
Pair = tuple[ParsedRegion | None, ParsedRegion | None]


class Correction(NamedTuple):
    """What became of a region or an answer, by a control tag.

    `labels` are those predicted, or those annotated if it was added, each with what became of it.
    """

    control: Control
    outcome: str
    labels: Mapping[str, str]


def find_corrections(predicted: Regions, annotated: Regions) -> Iterator[Correction]:
    """Yield what became of each predicted region and answer, and what was added.

    - accepted: the place and all values are equal
    - moved: the labels are equal, the place is not
    - relabelled: the labels are not equal, wherever the region is now
    - changed: place and labels are equal, but not what else is said of the region; or an answer
      is not equal

    A tag that describes regions (`perRegion`) has answers of its own, whether or not the region
    was moved.
    """
    for tag, before, after in _pair_answers(predicted, annotated):
        yield _compare_answers(tag, before, after)
    for before, after in _pair_regions(predicted, annotated):
        tags = _tags_of(before, after)
        for tag in list(filter(is_label_tag, tags)) or [_drawing_tag(tags)]:
            yield _compare_regions(tag, before, after)
        for tag in filter(_describes, tags):
            yield _compare_answers(tag, before, after)


def _pair_answers(
    predicted: Regions, annotated: Regions
) -> Iterator[tuple[Control, ParsedRegion | None, ParsedRegion | None]]:
    """Yield both answers by each tag for the whole task, or for each item of a list."""
    before, after = (_read_answers(regions) for regions in (predicted, annotated))
    for key, (tag, _) in (before | after).items():
        one, other = before.get(key), after.get(key)
        yield tag, one and one[1], other and other[1]


def _read_answers(
    regions: Regions,
) -> dict[tuple[str, str, Any], tuple[Control, ParsedRegion]]:
    return {
        (tag.name, tag.to_name, region.region_keys.get("item_index") or 0): (tag, region)
        for region in filter(is_whole_task, regions)
        for tag in region.values
    }


def _pair_regions(predicted: Regions, annotated: Regions) -> Iterator[Pair]:
    """Yield the regions that are the same, and then those that were deleted and added."""
    before, after = (
        [region for region in regions if not is_whole_task(region)]
        for regions in (predicted, annotated)
    )
    for match in (_match_ids, _match_equal_labels, _match_places):
        pairs = match(before, after) if before and after else []
        yield from ((before[row], after[column]) for row, column in pairs)
        rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
        before = [region for place, region in enumerate(before) if place not in rows]
        after = [region for place, region in enumerate(after) if place not in columns]
    yield from ((region, None) for region in before)
    yield from ((None, region) for region in after)


def _match_ids(before: Regions, after: Regions) -> list[tuple[int, int]]:
    places = {region.id: place for place, region in enumerate(after) if region.id}
    return [
        (place, places[region.id]) for place, region in enumerate(before) if region.id in places
    ]


def _match_equal_labels(before: Regions, after: Regions) -> list[tuple[int, int]]:
    labels, other_labels = ([label_key(one) for one in group] for group in (before, after))
    equal = np.array([[one == other for other in other_labels] for one in labels], bool)
    similarities = np.where(equal, similarity_matrix(before, after), 0.0)
    return match_by_score(similarities, [None] * len(before), SAME_PLACE)


def _match_places(before: Regions, after: Regions) -> list[tuple[int, int]]:
    return match_by_score(similarity_matrix(before, after), [None] * len(before), SAME_PLACE)


def _tags_of(before: ParsedRegion | None, after: ParsedRegion | None) -> list[Control]:
    """Return the control tags of either, each once."""
    tags = [tag for region in (before, after) if region is not None for tag in region.values]
    return list({tag.name: tag for tag in tags}.values())


def _describes(tag: Control) -> bool:
    """Return whether a tag says something of a region that another tag has drawn."""
    return tag.per_region and not is_label_tag(tag)


def _drawing_tag(tags: Sequence[Control]) -> Control:
    """Return the tag that drew a region which has no tag for labels."""
    return next((tag for tag in tags if not _describes(tag)), tags[0])


def _compare_answers(
    tag: Control, before: ParsedRegion | None, after: ParsedRegion | None
) -> Correction:
    answered = [region is not None and annotated_by(region, tag.name) for region in (before, after)]
    value, other = (_value_of(region, tag) for region in (before, after))
    if not answered[1]:
        return _correction(tag, DELETED, _labels(tag, value))
    if not answered[0]:
        return _correction(tag, ADDED, _labels(tag, other))
    if _equal_answers(tag, value, other):
        return _correction(tag, ACCEPTED, _labels(tag, value))
    kept = set(labels_of(tag, other))
    labels = {name: ACCEPTED if name in kept else CHANGED for name in _labels(tag, value)}
    return Correction(tag, CHANGED, labels)


def _compare_regions(
    tag: Control, before: ParsedRegion | None, after: ParsedRegion | None
) -> Correction:
    value, other = (_value_of(region, tag) for region in (before, after))
    if before is None:
        return _correction(tag, ADDED, _labels(tag, other))
    if after is None:
        return _correction(tag, DELETED, _labels(tag, value))
    outcome = ACCEPTED if _equal_descriptions(before, after) else CHANGED
    if not is_same_place(before, after):
        outcome = MOVED
    names, others = _labels(tag, value), _labels(tag, other)
    if set(names) == set(others):
        return _correction(tag, outcome, names)
    labels = {name: outcome if name in others else RELABELLED for name in names}
    return Correction(tag, RELABELLED, labels)


def _correction(tag: Control, outcome: str, labels: Iterable[str]) -> Correction:
    return Correction(tag, outcome, dict.fromkeys(labels, outcome))


def _value_of(region: ParsedRegion | None, tag: Control) -> Any:
    return None if region is None else value_of(region, tag.name)


def _labels(tag: Control, value: Any) -> list[str]:
    return labels_of(tag, value) or [NO_LABEL]


def _equal_answers(tag: Control, value: Any, other: Any) -> bool:
    if tag.tag in NUMBER_TAGS:
        return as_number(value) == as_number(other)
    return answer_key(tag, value) == answer_key(tag, other)


def _equal_descriptions(before: ParsedRegion, after: ParsedRegion) -> bool:
    """Return whether all that is said of a region beside its labels is equal."""
    tags = filter(_describes, _tags_of(before, after))
    return all(_equal_answers(tag, _value_of(before, tag), _value_of(after, tag)) for tag in tags)


def is_same_place(region: ParsedRegion, other: ParsedRegion) -> bool:
    """Return whether two regions have the same shape; on images whatever size they tell."""
    shape, other_shape = region.shape, other.shape
    if isinstance(region.source, ImageSize) and isinstance(other.source, ImageSize):
        shape, other_shape = shapes_on([region, other], region.source)
    if isinstance(shape, Brush | Bitmask) and isinstance(other_shape, Brush | Bitmask):
        # The editor may draw a mask anew, with other values for the same pixels.
        return np.array_equal(np.asarray(shape.mask) != 0, np.asarray(other_shape.mask) != 0)
    return _is_close(shape, other_shape)


def _is_close(one: Any, other: Any) -> bool:
    """Return whether the numbers in two shapes are equal, but for how they were rounded."""
    if isinstance(one, int | float | np.number) and isinstance(other, int | float | np.number):
        return isclose(one, other, rel_tol=1e-9, abs_tol=TOLERANCE)
    if is_dataclass(one) and type(one) is type(other):
        names = [field.name for field in fields(one)]
        return all(_is_close(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_close(one[k], other[k]) for k in one)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(_is_close, one, other))
    return bool(one == other)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)

"""What most annotators of a task agree on.

- Regions with a place are the same if they have equal labels and a similarity of at least 0.5.
  One is kept if more than half of the annotations have it: of the equal ones that which is most
  similar to the others (the medoid), with its own place and id. An annotation counts once for a
  region, with its most similar one.
- What describes a region (per-region choices, texts, numbers) is decided as for whole tasks,
  among the equal regions.
- A control tag that answers for the whole task keeps an answer if more than half of the
  annotations have one: the answer with the smallest total distance to the others. For single
  choices this is what most chose, for numbers their median, for texts the medoid of the edit
  distance; of equally good answers that of the latest annotation.

So each answer and each place was given by an annotator, and equal input gives equal output.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.annotated_task import Annotation
from shared.evaluation.annotators.answers import answer_distance, is_label_tag, label_key
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control, LabelConfig
from shared.results import ParsedRegion
from shared.results.whole_task import WholeTask

# The similarity from which two regions with equal labels are the same.
SAME_PLACE = 0.5


def find_consensus(
    config: LabelConfig, annotations: Sequence[Annotation]
) -> tuple[ParsedRegion, ...]:
    """Return the regions and answers that more than half of the annotations agree on.

    The places come first, in the order of the annotations that gave them, then the answers for the
    whole task in the order of the label config.
    """
    oldest_first = sorted(annotations, key=lambda annotation: annotation.updated_at)
    return (*_agreed_places(oldest_first), *_agreed_answers(config, oldest_first))


def is_whole_task(region: ParsedRegion) -> bool:
    """Return whether a region has no place: it answers for the whole task or a list's item."""
    return isinstance(region.shape, WholeTask)


@dataclass(frozen=True)
class _Candidates:
    """All regions with a place, and how similar those of different annotations are.

    `owners` holds the number of each region's annotation, shape (n,); `similarities` has shape
    (n, n), with 0 for regions that are not the same.
    """

    regions: Sequence[ParsedRegion]
    owners: NDArray[np.int64]
    similarities: NDArray[np.float64]

    def supporters(self, place: int, free: NDArray[np.bool_]) -> list[int]:
        """Return the region itself and the most similar free one of each other annotation."""
        row = np.where(free, self.similarities[place], 0.0)
        found = {int(self.owners[place]): place}
        for other in np.flatnonzero(row)[np.argsort(-row[np.flatnonzero(row)], kind="stable")]:
            found.setdefault(int(self.owners[other]), int(other))
        return [found[owner] for owner in sorted(found)]

    def order(self) -> NDArray[np.int64]:
        """Return the places, those first that are the most similar to regions of others."""
        everywhere = np.ones(len(self.regions), bool)
        totals = [
            (len(found), float(self.similarities[place, found].sum()))
            for place in range(len(self.regions))
            for found in [self.supporters(place, everywhere)]
        ]
        numbers = range(len(self.regions))
        return np.array(
            sorted(numbers, key=lambda n: (-totals[n][0], -totals[n][1], n)), dtype=np.int64
        )


def _agreed_places(annotations: Sequence[Annotation]) -> list[ParsedRegion]:
    candidates = _compare_places(annotations)
    free = np.ones(len(candidates.regions), bool)
    kept: dict[int, ParsedRegion] = {}
    for place in candidates.order():
        if not free[place]:
            continue
        found = candidates.supporters(place, free)
        if len(found) * 2 > len(annotations):
            free[found] = False
            kept[place] = _with_agreed_values(place, found, candidates)
    return [kept[place] for place in sorted(kept)]


def _compare_places(annotations: Sequence[Annotation]) -> _Candidates:
    groups = [[r for r in one.regions if not is_whole_task(r)] for one in annotations]
    regions = [region for group in groups for region in group]
    owners = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    starts = np.cumsum([0, *map(len, groups)])
    similarities = np.zeros((len(regions), len(regions)))
    for one in range(len(groups)):
        for other in range(one):
            found = same_places(groups[one], groups[other])
            rows, columns = (slice(starts[n], starts[n + 1]) for n in (one, other))
            similarities[rows, columns], similarities[columns, rows] = found, found.T
    return _Candidates(regions, owners, similarities)


def same_places(
    regions: Sequence[ParsedRegion], others: Sequence[ParsedRegion]
) -> NDArray[np.float64]:
    """Return the similarity of each two regions, shape (regions, others); 0 if not the same."""
    found = similarity_matrix(regions, others)
    labels, other_labels = ([label_key(one) for one in group] for group in (regions, others))
    equal = np.array([[one == other for other in other_labels] for one in labels], bool)
    same: NDArray[np.float64] = np.where(equal.reshape(found.shape), found, 0.0)
    same[same < SAME_PLACE] = 0.0
    return same


def _with_agreed_values(
    place: int, supporters: Sequence[int], candidates: _Candidates
) -> ParsedRegion:
    """Return the region with what most say of it by the tags that describe regions."""
    region = candidates.regions[place]
    equal = [candidates.regions[n] for n in supporters]
    values = {tag: value for tag, value in region.values.items() if is_drawn(tag)}
    described = {tag.name: tag for one in equal for tag in one.values if not is_drawn(tag)}
    for name, control in described.items():
        answers = [_value_of(one, name) for one in equal]
        agreed = medoid_answer(control, [a for a in answers if a is not None])
        if agreed is not None and sum(a is not None for a in answers) * 2 > len(answers):
            values[control] = agreed
    return replace(region, values=values)


def is_drawn(control: Control) -> bool:
    """Return whether a tag draws or labels a region, rather than describes one."""
    return is_label_tag(control) or not control.per_region


def _value_of(region: ParsedRegion, name: str) -> Any:
    return next((v for tag, v in region.values.items() if tag.name == name), None)


def _agreed_answers(
    config: LabelConfig, annotations: Sequence[Annotation]
) -> Iterable[ParsedRegion]:
    """Yield a region of each control tag and list item that most have answered."""
    answered: dict[tuple[int, str, Any], dict[int, ParsedRegion]] = {}
    places = {control.name: place for place, control in enumerate(config.controls)}
    for number, annotation in enumerate(annotations):
        for region in filter(is_whole_task, annotation.regions):
            control = next(iter(region.values))
            item = region.region_keys.get("item_index") or 0
            key = places.get(control.name, len(places)), control.to_name, item
            answered.setdefault(key, {})[number] = region
    for key in sorted(answered):
        found = list(answered[key].values())
        if len(found) * 2 > len(annotations):
            yield _medoid_region(found)


def _medoid_region(regions: Sequence[ParsedRegion]) -> ParsedRegion:
    control = next(iter(regions[0].values))
    answers = [next(iter(region.values.values())) for region in regions]
    return regions[_medoid(control, answers)]


def medoid_answer(control: Control, answers: Sequence[Any]) -> Any:
    """Return the answer closest to all others, of equal ones the last; None of none."""
    return answers[_medoid(control, answers)] if answers else None


def _medoid(control: Control, answers: Sequence[Any]) -> int:
    """Return the place of the answer with the smallest total distance, of equal ones the last."""
    totals = [
        sum(answer_distance(control, answer, other) for other in answers) for answer in answers
    ]
    return min(range(len(answers)), key=lambda place: (round(totals[place], 9), -place))

"""Values of one control tag that belong together: of the whole task, of a list's item, of a region.

What a region says is compared with what the true region at the same place says; their labels do
not matter for that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from shared.evaluation.metrics.metric import Match, Outcome
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.regions import similarity_matrix
from shared.results import ParsedRegion
from shared.results.whole_task import WholeTask

# The similarity from which a predicted region is at the place of a true one.
MIN_SIMILARITY = 0.5


class PairedValues(NamedTuple):
    """The regions that say something of the same thing; one side is empty if the other lacks.

    A region on the media stands alone. Of the whole task, or of a list's item, there may be
    several results of the control tag, in their order.
    """

    truth: Sequence[ParsedRegion]
    predicted: Sequence[ParsedRegion]


class ComparedValues(NamedTuple):
    """How well a prediction says something, from 0 to 1, and whether it says just what is true."""

    score: float
    is_equal: bool


def pair_values(
    truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
) -> list[PairedValues]:
    """Pair what true and predicted regions say.

    Regions pair one to one from a similarity of 0.5, the highest score first, whatever their
    labels. True ones without partner come with no predicted region, and vice versa.
    """
    true_whole, predicted_whole = _by_item(truth), _by_item(predicted)
    items = dict.fromkeys((*true_whole, *predicted_whole))
    pairs = [PairedValues(true_whole.get(i, ()), predicted_whole.get(i, ())) for i in items]
    return pairs + _pair_regions(_on_media(truth), _on_media(predicted))


def compare_values(
    truth: Sequence[ParsedRegion],
    predicted: Sequence[ParsedRegion],
    compare: Callable[[Sequence[ParsedRegion], Sequence[ParsedRegion]], ComparedValues | None],
) -> Outcome:
    """Compare what true and predicted regions say of each thing; None is no case.

    The outcome's score is the mean of the scores. A hit has the last region of each side.
    """
    hits: list[Match] = []
    misses: list[ParsedRegion] = []
    inventions: list[ParsedRegion] = []
    scores = []
    for true_regions, predicted_regions in pair_values(truth, predicted):
        compared = compare(true_regions, predicted_regions)
        if compared is None:
            continue
        scores.append(compared.score)
        if compared.is_equal:
            hits.append(Match(true_regions[-1], predicted_regions[-1], 1.0))
        else:
            misses += true_regions
            inventions += predicted_regions
    return Outcome(hits, misses, inventions, fmean(scores) if scores else None)


def _pair_regions(
    truth: Sequence[ParsedRegion], predicted: Sequence[ParsedRegion]
) -> list[PairedValues]:
    if not truth or not predicted:
        found: list[tuple[int, int]] = []
    else:
        similarities = similarity_matrix(predicted, truth)
        scores = [region.score for region in predicted]
        found = match_by_score(similarities, scores, MIN_SIMILARITY)
    partners = {true: place for place, true in found}
    hit = set(partners.values())
    pairs = [
        PairedValues((region,), (predicted[partners[place]],) if place in partners else ())
        for place, region in enumerate(truth)
    ]
    alone = (region for place, region in enumerate(predicted) if place not in hit)
    return pairs + [PairedValues((), (region,)) for region in alone]


def _by_item(regions: Iterable[ParsedRegion]) -> Mapping[Any, Sequence[ParsedRegion]]:
    """Return the results for the whole task, by the list's item that they are for."""
    items: dict[Any, list[ParsedRegion]] = defaultdict(list)
    for region in regions:
        if isinstance(region.shape, WholeTask):
            items[region.region_keys.get("item_index") or 0].append(region)
    return items


def _on_media(regions: Iterable[ParsedRegion]) -> list[ParsedRegion]:
    return [region for region in regions if not isinstance(region.shape, WholeTask)]

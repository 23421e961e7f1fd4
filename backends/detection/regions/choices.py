"""What an image shows, as the answer of Choices and Taxonomy."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backends.detection.model.detections import Detections
from backends.detection.regions.objects import asked
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.results import Region, whole_task


def regions(founds: Iterable[Detections], claim: Claim, **place: Any) -> Iterator[Region]:
    """One answer about all of the images: by a classifying network, or of the objects found."""
    scores: dict[str, float] = {}
    one = False
    for found in founds:
        one = one or found.probabilities is not None
        for name, score in scores_of(found).items():
            scores[name] = max(score, scores.get(name, 0.0))
    given = {name: scores[name] for name in asked(scores, claim)}
    said = select_choices(given, claim, one)
    if said is not None:
        yield whole_task(claim.control, said.answer, score=said.score, **place)


def scores_of(found: Detections) -> Mapping[str, float]:
    """How sure each class is: of a classifying network, or by its surest object."""
    if found.probabilities is not None:
        return dict(zip(found.names, found.probabilities.tolist(), strict=True))
    surest: dict[str, float] = dict.fromkeys(found.names, 0.0)
    for index, score in enumerate(found.scores.tolist()):
        surest[found.name(index)] = max(score, surest[found.name(index)])
    return surest

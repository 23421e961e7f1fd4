"""What an image shows, as a choice of Choices or Taxonomy."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backends.detection.model.detections import Detections
from backends.detection.regions.objects import requested_classes
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.results import Region, whole_task


def choice_regions(
    images: Iterable[Detections], claim: Claim, **region_keys: Any
) -> Iterator[Region]:
    """Yield the one choice about all of the images, if there is one."""
    scores: dict[str, float] = {}
    is_classifier = False
    for detections in images:
        is_classifier = is_classifier or detections.probabilities is not None
        for name, score in class_scores(detections).items():
            scores[name] = max(score, scores.get(name, 0.0))
    requested = {name: scores[name] for name in requested_classes(scores, claim)}
    selected = select_choices(requested, claim, is_classifier)
    if selected is not None:
        yield whole_task(claim.control, selected.answer, score=selected.score, **region_keys)


def class_scores(detections: Detections) -> Mapping[str, float]:
    """Return a score for each class: a classifier's probability, or that of its best object."""
    if detections.probabilities is not None:
        return dict(zip(detections.class_names, detections.probabilities.tolist(), strict=True))
    best: dict[str, float] = dict.fromkeys(detections.class_names, 0.0)
    for row, score in enumerate(detections.scores.tolist()):
        best[detections.class_name(row)] = max(score, best[detections.class_name(row)])
    return best

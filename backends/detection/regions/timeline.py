"""What is on the frames of a video: spans of them, and one answer about all."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.detection.inputs.video import AlignedDetections, Floats
from backends.detection.model.detections import Detections
from backends.detection.regions.choices import scores_of
from backends.detection.regions.objects import asked
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.results import Region, TimelineSpan, region, whole_task


def spans(watched: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """Where each label holds: a region a span, as sure as its frames are on average."""
    founds = watched.seen.found[claim.options["network"]]
    labels = claim.labels_for(asked(founds[0].names, claim))
    scores = _by_label(founds, labels)
    looked = _looked(watched)
    for label, of_label in sorted(scores.items()):
        smooth = smoothed(of_label, claim.options["smoothing"])[looked]
        plain = of_label[looked]
        for start, end in runs(smooth >= claim.options["score_threshold"]):
            span, score = TimelineSpan(start, end), float(plain[start:end].mean())
            yield region(span, {claim.control: [label]}, watched.shown, score)


def whole(watched: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """One answer about the video: the classes' average, or the objects that stay for a while."""
    founds = watched.seen.found[claim.options["network"]]
    one = founds[0].probabilities is not None
    names = {name: name for name in asked(founds[0].names, claim)}
    scores = _by_label(founds, names)
    window = claim.options["smoothing"]
    total = {
        name: float(of_class.mean() if one else smoothed(of_class, window).max())
        for name, of_class in scores.items()
    }
    said = select_choices(total, claim, one)
    if said is not None:
        yield whole_task(claim.control, said.answer, score=said.score)


def smoothed(values: Floats, window: int) -> Floats:
    """The mean of each value and its neighbours, `window` together, fewer at the ends."""
    ones = np.ones(min(window, len(values)))
    weights = np.convolve(np.ones(len(values)), ones, "same")
    means: Floats = np.convolve(values, ones, "same") / weights
    return means


def runs(holds: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and end (exclusive) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _looked(watched: AlignedDetections) -> NDArray[np.int64]:
    """For each of the editor's frames which of the findings is about it: the last one before.

    The frames after the video's last one are left out.
    """
    shown = watched.frames()
    found = np.searchsorted(watched.seen.looked, shown[shown >= 0], side="right") - 1
    return found.astype(np.int64)


def _by_label(founds: Sequence[Detections], labels: Mapping[str, str]) -> dict[str, Floats]:
    """The score of each label on each frame, of shape (m,).

    Of classes that exclude each other those of one label add up; of objects the surest counts.
    """
    names = founds[0].names
    chosen = {name: labels[name] for name in names if name in labels}
    scores: dict[str, Floats] = {label: np.zeros(len(founds)) for label in chosen.values()}
    if founds[0].probabilities is not None:
        table = np.stack(
            [found.probabilities for found in founds if found.probabilities is not None]
        )
        for index, name in enumerate(names):
            if name in chosen:
                scores[chosen[name]] += table[:, index]
        return {label: np.minimum(of_label, 1.0) for label, of_label in scores.items()}
    for number, found in enumerate(founds):
        for name, score in scores_of(found).items():
            if name in chosen:
                of_label = scores[chosen[name]]
                of_label[number] = max(of_label[number], score)
    return scores

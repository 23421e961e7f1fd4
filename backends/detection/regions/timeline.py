"""What the frames of a video show: spans of frames, and one choice about all of them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.detection.inputs.video import AlignedDetections, Floats
from backends.detection.model.detections import Detections
from backends.detection.regions.choices import class_scores
from backends.detection.regions.objects import requested_classes
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.results import Region, TimelineSpan, region, whole_task


def span_regions(aligned: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """Yield the spans in which each label holds, with the mean score of their frames."""
    samples = aligned.detections.by_network[claim.options["network"]]
    labels = claim.labels_for(requested_classes(samples[0].class_names, claim))
    frame_samples = _sample_of_each_frame(aligned)
    for label, scores in sorted(_label_scores(samples, labels).items()):
        smooth = moving_average(scores, claim.options["smoothing"])[frame_samples]
        frame_scores = scores[frame_samples]
        for start, end in true_runs(smooth >= claim.options["score_threshold"]):
            span, score = TimelineSpan(start, end), float(frame_scores[start:end].mean())
            yield region(span, {claim.control: [label]}, aligned.video, score)


def whole_video_regions(aligned: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """Yield one choice about the video, if there is one.

    A class counts by its average probability; a class of objects by the highest average over
    `model_smoothing` frames, so that one false detection is not enough.
    """
    samples = aligned.detections.by_network[claim.options["network"]]
    is_classifier = samples[0].probabilities is not None
    classes = {name: name for name in requested_classes(samples[0].class_names, claim)}
    window = claim.options["smoothing"]
    video_scores = {
        name: float(scores.mean() if is_classifier else moving_average(scores, window).max())
        for name, scores in _label_scores(samples, classes).items()
    }
    selected = select_choices(video_scores, claim, is_classifier)
    if selected is not None:
        yield whole_task(claim.control, selected.answer, score=selected.score)


def moving_average(values: Floats, window: int) -> Floats:
    """Return the mean of `window` values around each value; of fewer at both ends."""
    ones = np.ones(min(window, len(values)))
    counts = np.convolve(np.ones(len(values)), ones, "same")
    means: Floats = np.convolve(values, ones, "same") / counts
    return means


def true_runs(values: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _sample_of_each_frame(aligned: AlignedDetections) -> NDArray[np.int64]:
    """Return for each of the editor's frames the index of the last sample up to it.

    Frames of the editor after the end of the video are left out.
    """
    frames = aligned.file_frames()
    samples = np.searchsorted(aligned.detections.sampled_frames, frames[frames >= 0], side="right")
    return (samples - 1).astype(np.int64)


def _label_scores(samples: Sequence[Detections], labels: Mapping[str, str]) -> dict[str, Floats]:
    """Return the score of each label on each of the m samples, as arrays (m,).

    Probabilities of classes with the same label add up, since these exclude each other; of
    objects with the same label the best one counts.
    """
    names = samples[0].class_names
    labels = {name: labels[name] for name in names if name in labels}
    scores: dict[str, Floats] = {label: np.zeros(len(samples)) for label in labels.values()}
    if samples[0].probabilities is not None:
        table = np.stack([s.probabilities for s in samples if s.probabilities is not None])
        for column, name in enumerate(names):
            if name in labels:
                scores[labels[name]] += table[:, column]
        return {label: np.minimum(sums, 1.0) for label, sums in scores.items()}
    for index, detections in enumerate(samples):
        for name, score in class_scores(detections).items():
            if name in labels:
                label_scores = scores[labels[name]]
                label_scores[index] = max(label_scores[index], score)
    return scores

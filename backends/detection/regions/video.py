"""Detections on videos as regions of the control tags."""

from collections.abc import Iterable, Iterator, Mapping

from backends._video.keyframes import choose_tolerance
from backends.detection.inputs.tracker import Track, track_objects
from backends.detection.inputs.video import AlignedDetections
from backends.detection.regions import timeline
from backends.detection.regions.keyframes import build_video_track
from backends.detection.regions.objects import missing_output_error, requested_classes
from shared.backend.claim import Claim
from shared.results import Region, region


def video_regions(aligned: AlignedDetections, claim: Claim) -> Iterable[Region]:
    """Return the regions of a claim; warn if the editor counts frames at another rate."""
    fps, rate = aligned.detections.fps, aligned.video.fps
    if fps and abs(fps / rate - 1) > 0.01:
        claim.warn_once(
            f"{claim.object} counts {rate:g} frames a second, but there are videos of {fps:.4g}:"
            " set frameRate to that, or the editor skips or repeats frames"
        )
    if claim.control.tag == "VideoRectangle":
        return track_regions(aligned, claim)
    if claim.control.tag == "TimelineLabels":
        return timeline.span_regions(aligned, claim)
    return timeline.whole_video_regions(aligned, claim)


def track_regions(aligned: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """Yield a region for each tracked object, with the mean score of its detections."""
    options, video = claim.options, aligned.video
    frames = aligned.detections.by_network[options["network"]]
    if frames[0].probabilities is not None:
        raise missing_output_error(claim, "objects")
    tracks = track_objects(
        frames,
        options["tracker"],
        dict(options["parameters"]),
        aligned.detections.camera_motion if options["camera_motion"] else None,
        options["classes"],
        options["min_score"],
    )
    tolerance = choose_tolerance(options["tolerance"], max(video.size))
    has_labels = len(claim.controls) > 1
    names = requested_classes(frames[0].class_names, claim)
    labels = claim.labels_for(names, claim.controls[-1]) if has_labels else {}
    for track in tracks:
        score = sum(track.scores) / len(track.scores)
        label = track_label(track, labels)
        if score < options["score_threshold"] or (has_labels and label is None):
            continue
        shape = build_video_track(track, aligned, tolerance, options["max_gap"])
        if shape is not None:
            yield region(shape, {claim.control: label and [label]}, video, score)


def track_label(track: Track, labels: Mapping[str, str]) -> str | None:
    """Return the label with the highest sum of scores; None if a class without label has more."""
    sums: dict[str, float] = {}
    highest_other = 0.0
    for name, score in track.class_scores.items():
        if name in labels:
            sums[labels[name]] = sums.get(labels[name], 0.0) + score
        else:
            highest_other = max(highest_other, score)
    best = max(sums, key=lambda label: sums[label], default=None)
    return best if best is not None and sums[best] > highest_other else None

"""What was seen in a video, as regions of the control tags on it."""

from collections.abc import Iterable, Iterator, Mapping

from backends.detection.inputs.tracker import Track, follow
from backends.detection.inputs.video import AlignedDetections
from backends.detection.regions import timeline
from backends.detection.regions.keyframes import video_track
from backends.detection.regions.objects import asked, unfillable
from backends.detection.tags.video_tags import SIDE
from shared.backend.claim import Claim
from shared.results import Region, region


def regions(watched: AlignedDetections, claim: Claim) -> Iterable[Region]:
    """What the claim's control tag says."""
    fps, rate = watched.seen.fps, watched.shown.fps
    if fps and abs(fps / rate - 1) > 0.01:
        claim.warn_once(
            f"{claim.object} counts {rate:g} frames a second, but there are videos of {fps:.4g}:"
            " frameRate should say so, or the editor skips or repeats some of their frames"
        )
    if claim.control.tag == "VideoRectangle":
        return tracked(watched, claim)
    if claim.control.tag == "TimelineLabels":
        return timeline.spans(watched, claim)
    return timeline.whole(watched, claim)


def tracked(watched: AlignedDetections, claim: Claim) -> Iterator[Region]:
    """A region for each object that is followed, as sure as it is on average."""
    founds, options = watched.seen.found[claim.options["network"]], claim.options
    if founds[0].probabilities is not None:
        raise unfillable(claim, "objects")
    motion = watched.seen.motion if options["motion"] else None
    parameters = dict(options["parameters"])
    tolerance = options["tolerance"]
    if tolerance < 0:
        tolerance = max(1.0, max(watched.shown.size) / SIDE)
    plain = len(claim.controls) == 1
    names = asked(founds[0].names, claim)
    labels = {} if plain else claim.labels_for(names, claim.controls[-1])
    chosen = options["classes"], options["least"]
    for track in follow(founds, options["tracker"], parameters, motion, *chosen):
        score = sum(track.scores) / len(track.scores)
        label = None if plain else label_of(track, labels)
        shape = video_track(track, watched, tolerance, options["gap"])
        if shape is not None and score >= options["score_threshold"] and (plain or label):
            yield region(shape, {claim.control: label and [label]}, watched.shown, score)


def label_of(track: Track, labels: Mapping[str, str]) -> str | None:
    """The label whose classes are surest in sum; None if a class without a label is surer."""
    sums: dict[str, float] = {}
    others = 0.0
    for name, total in track.classes.items():
        if name in labels:
            sums[labels[name]] = sums.get(labels[name], 0.0) + total
        else:
            others = max(others, total)
    surest = max(sums, key=lambda label: sums[label], default=None)
    return surest if surest is not None and sums[surest] > others else None

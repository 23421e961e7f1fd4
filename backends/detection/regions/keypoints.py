"""Poses, as key points that hang on the box of their object."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.detection.model.detections import Detections, Floats
from backends.detection.regions.objects import asked, check, labelled, marks, wanted
from backends.detection.regions.shapes import box
from shared.backend.claim import Claim
from shared.errors import UnfillableError
from shared.label_studio.label_config import Control
from shared.results import KeyPoint, Region, region


def regions(
    found: Detections, claim: Claim, boxes: Sequence[Control], **place: Any
) -> Iterator[Region]:
    """Each object's box, if `boxes` (its control tags) are given, and its key points."""
    check(found, claim)
    labels = _labels(found, claim)
    parents = _parents(found, claim, boxes, **place)
    for index in wanted(found, claim):
        points = list(_points(found, index, claim, labels))
        parent = parents.get(index)
        if parent is not None and points:
            yield parent
        beside = {} if parent is None else {"parent": parent}
        for shape, label, score in points:
            said = marks(claim.controls, label)
            yield region(shape, said, found.size, score, **beside, **place)


def _parents(
    found: Detections, claim: Claim, boxes: Sequence[Control], **place: Any
) -> Mapping[int, Region]:
    """The box of each object that has a label among the boxes' own."""
    if not boxes:
        return {}
    try:
        chosen = list(labelled(found, claim, boxes[-1]))
    except UnfillableError:  # then the points hang on nothing
        return {}
    hidden = {"hidden": True} if boxes[0].name == f"{claim.control.name}_bbox" else {}
    return {
        index: region(
            box(found, index, True),
            marks(boxes, label),
            found.size,
            float(found.scores[index]),
            **hidden,
            **place,
        )
        for index, label in chosen
    }


def _points(
    found: Detections, index: int, claim: Claim, labels: Mapping[str, str]
) -> Iterator[tuple[KeyPoint, str | None, float]]:
    """An object's points that are sure enough and have a label."""
    assert found.points is not None
    points: Floats = found.points[index]
    unlabelled = claim.controls[-1].tag == "KeyPoint"
    for number, (x, y, score) in enumerate(points.tolist()):
        label = labels.get(_name(found.name(index), number))
        if score >= claim.options["point_threshold"] and (unlabelled or label):
            yield KeyPoint(x, y, claim.options["point_size"] or None), label, score


def _labels(found: Detections, claim: Claim) -> Mapping[str, str]:
    """From "person 0", the first key point of a person, to its label.

    A label with `model_index` takes that point, of the classes in its `predicted_values` or of
    any; where no label has one, all points of an object get the label of its class.
    """
    assert found.points is not None
    control = claim.controls[-1]
    if control.tag == "KeyPoint":
        return {}
    names = asked(found.names, claim)
    numbers = range(found.points.shape[1])
    every = [_name(name, number) for name in names for number in numbers]
    aliases: dict[str, list[str]] = {}
    for label, number in claim.options["points"].items():
        of = control.labels[label].get("predicted_values", "")
        for name in _split(of) or names:
            aliases.setdefault(_name(name, number), []).append(label)
    if not aliases:
        aliases = {_name(name, number): [name] for name in names for number in numbers}
    return claim.labels_for(every, control, aliases)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _name(of: str, number: int) -> str:
    return f"{of} {number}"

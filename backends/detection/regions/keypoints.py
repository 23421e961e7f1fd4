"""Poses: keypoints, each the child of the box around its object."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.detection.model.detections import Detections, Floats
from backends.detection.regions.objects import (
    label_values,
    labelled_objects,
    requested_classes,
    require_output,
    selected_objects,
)
from backends.detection.regions.shapes import build_box
from shared.backend.claim import Claim
from shared.errors import UnfillableError
from shared.label_studio.label_config import Control
from shared.results import KeyPoint, Region, region
from shared.settings import split_names


def keypoint_regions(
    detections: Detections, claim: Claim, boxes: Sequence[Control], **region_keys: Any
) -> Iterator[Region]:
    """Yield the keypoints of each wanted object, after its box if `boxes` has control tags."""
    require_output(detections, claim)
    labels = _keypoint_labels(detections, claim)
    parents = _parent_boxes(detections, claim, boxes, **region_keys)
    for row in selected_objects(detections, claim):
        points = list(_labelled_points(detections, row, claim, labels))
        parent = parents.get(row)
        if parent is not None and points:
            yield parent
        keys = region_keys if parent is None else {"parent": parent, **region_keys}
        for point, label, score in points:
            values = label_values(claim.controls, label)
            yield region(point, values, detections.size, score, **keys)


def _parent_boxes(
    detections: Detections, claim: Claim, boxes: Sequence[Control], **region_keys: Any
) -> Mapping[int, Region]:
    """Build the box of each object that has a label in the control tags for boxes."""
    if not boxes:
        return {}
    try:
        objects = list(labelled_objects(detections, claim, boxes[-1]))
    except UnfillableError:  # the classes have no labels for boxes: keypoints without a parent
        return {}
    if boxes[0].name == f"{claim.control.name}_bbox":
        region_keys["hidden"] = True
    return {
        row: region(
            build_box(detections, row, upright=True),
            label_values(boxes, label),
            detections.size,
            float(detections.scores[row]),
            **region_keys,
        )
        for row, label in objects
    }


def _labelled_points(
    detections: Detections, row: int, claim: Claim, labels: Mapping[str, str]
) -> Iterator[tuple[KeyPoint, str | None, float]]:
    """Yield an object's keypoints that have a sufficient score and a label."""
    assert detections.keypoints is not None
    points: Floats = detections.keypoints[row]
    has_labels = claim.controls[-1].tag != "KeyPoint"
    for number, (x, y, score) in enumerate(points.tolist()):
        label = labels.get(_keypoint_name(detections.class_name(row), number))
        if score >= claim.options["point_threshold"] and (label or not has_labels):
            yield KeyPoint(x, y, claim.options["point_size"] or None), label, score


def _keypoint_labels(detections: Detections, claim: Claim) -> Mapping[str, str]:
    """Return the labels by keypoint: "person 0" is the first one of a person.

    A label with `model_index` gets that keypoint of the classes in its `predicted_values`, or of
    any class; a network that was trained on these labels knows them itself. If no label has one,
    all keypoints of an object get the label of its class.
    """
    assert detections.keypoints is not None
    control = claim.controls[-1]
    if control.tag == "KeyPoint":
        return {}
    classes = requested_classes(detections.class_names, claim)
    numbers = range(detections.keypoints.shape[1])
    keypoints = [_keypoint_name(name, number) for name in classes for number in numbers]
    if detections.keypoint_names:
        named = enumerate(detections.keypoint_names)
        own = {_keypoint_name(cls, number): [name] for number, name in named for cls in classes}
        return claim.labels_for(keypoints, control, own)
    aliases: dict[str, list[str]] = {}
    for label, number in claim.options["points"].items():
        own_classes = split_names(control.labels[label].get("predicted_values", ""))
        for name in own_classes or classes:
            aliases.setdefault(_keypoint_name(name, number), []).append(label)
    if not aliases:
        aliases = {_keypoint_name(name, number): [name] for name in classes for number in numbers}
    return claim.labels_for(keypoints, control, aliases)


def _keypoint_name(class_name: str, number: int) -> str:
    return f"{class_name} {number}"

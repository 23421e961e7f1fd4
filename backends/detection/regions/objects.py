"""Detected objects as regions, and which of them a claim wants."""

from collections.abc import Iterable, Iterator
from typing import Any

from backends.detection.model.detections import Detections
from backends.detection.regions.shapes import build_shapes, missing_output
from backends.detection.tags.tag_options import base_tag
from shared.backend.claim import Claim
from shared.errors import UnfillableError, truncate
from shared.label_studio.label_config import Control
from shared.results import Region, region


def object_regions(detections: Detections, claim: Claim, **region_keys: Any) -> Iterator[Region]:
    """Yield the wanted objects in the shape that the claim's control tag draws."""
    shape_name = base_tag(claim.control)
    require_output(detections, claim)
    for row, label in labelled_objects(detections, claim, claim.controls[-1]):
        score = float(detections.scores[row])
        values = label_values(claim.controls, label)
        for shape in build_shapes(shape_name, detections, row, claim.options["upright"]):
            yield region(shape, values, detections.size, score, **region_keys)


def require_output(detections: Detections, claim: Claim) -> None:
    """Raise UnfillableError if the network has no output that the control tag can draw."""
    missing = missing_output(base_tag(claim.control), detections)
    if missing is not None:
        raise missing_output_error(claim, missing)


def missing_output_error(claim: Claim, missing: str) -> UnfillableError:
    """Log once that the network lacks what the control tag needs, and return the error."""
    message = (
        f"{claim.control} needs {missing}, which {_model_name(claim)} does not find:"
        " choose other weights with model_path, or in the DETECTION_ settings"
    )
    claim.warn_once(message)
    return UnfillableError(message)


def _model_name(claim: Claim) -> str:
    """Return what names the model in messages, which show no folder of a trained version."""
    return claim.spec.trained_version or claim.spec.model


def labelled_objects(
    detections: Detections, claim: Claim, control: Control
) -> Iterable[tuple[int, str | None]]:
    """Yield the row and label of each wanted object that has a label in `control`.

    A control tag without labels gets all wanted objects, with None.
    """
    has_labels = control.tag != base_tag(control)
    names = requested_classes(detections.class_names, claim)
    labels = claim.labels_for(names, control) if has_labels else {}
    for row in selected_objects(detections, claim):
        label = labels.get(detections.class_name(row))
        if label is not None or not has_labels:
            yield row, label


def requested_classes(names: Iterable[str], claim: Claim) -> list[str]:
    """Return the classes that `model_classes` does not leave out.

    Raises UnfillableError if the network has none of those that it names.
    """
    classes, names = claim.options["classes"], list(names)
    requested = [name for name in names if not classes or name in classes]
    if not requested:
        message = (
            f"{claim.control} asks only for the classes {', '.join(classes)} (model_classes or"
            f" DETECTION_CLASSES), none of which {_model_name(claim)} has; it has "
            + truncate(", ".join(names), 200)
        )
        claim.warn_once(message)
        raise UnfillableError(message)
    return requested


def selected_objects(detections: Detections, claim: Claim) -> Iterable[int]:
    """Yield the rows of the objects with a sufficient score and a requested class."""
    names = set(requested_classes(detections.class_names, claim))
    for row in range(len(detections)):
        has_score = detections.scores[row] >= claim.options["score_threshold"]
        if has_score and detections.class_name(row) in names:
            yield row


def label_values(controls: Iterable[Control], label: str | None) -> dict[Control, Any]:
    """Return what each control tag stores for an object: its label, or None if it only draws."""
    return {control: [label] if control.tag.endswith("Labels") else None for control in controls}

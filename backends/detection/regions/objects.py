"""Detected objects as regions, and which of them a claim wants."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backends.detection.model.detections import Detections
from backends.detection.model.parity import box_ious
from backends.detection.regions.shapes import build_shapes, missing_output
from backends.detection.tags.tag_options import base_tag
from shared.backend.claim import Claim
from shared.backend.label_map import NO_ALIASES
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
    if missing.startswith("masks"):
        message += ', or let model_segment="true" and SEGMENT_MODEL make masks of its boxes'
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
    labels = class_labels(names, claim, control) if has_labels else {}
    thresholds, usual = claim.options.get("label_thresholds", {}), claim.options["score_threshold"]
    labelled = [
        (row, label)
        for row in selected_objects(detections, claim, min(usual, *thresholds.values(), 1.0))
        if (label := labels.get(detections.class_name(row))) is not None or not has_labels
        if detections.scores[row] >= thresholds.get(label, usual)
    ]
    return without_repetitions(labelled, detections) if "words" in claim.options else labelled


def class_labels(names: Iterable[str], claim: Claim, control: Control) -> Mapping[str, str]:
    """Return the label of each class: of words that were typed, those found for them."""
    typed: Mapping[str, str] | None = claim.options.get("typed_labels")
    if typed is not None:
        return typed
    return claim.labels_for(names, control, claim.options.get("word_labels", NO_ALIASES))


def without_repetitions(
    labelled: Iterable[tuple[int, str | None]], detections: Detections
) -> list[tuple[int, str | None]]:
    """Return the best box of each object: several words of a label may find the same one.

    Boxes of one word were merged before; these are of another one.
    """
    kept: list[tuple[int, str | None]] = []
    limit = detections.iou_threshold or 1.0
    for row, label in labelled:  # highest score first
        others = [
            one
            for one, known in kept
            if known == label and detections.classes[one] != detections.classes[row]
        ]
        if not any(box_ious(detections.boxes[others], detections.boxes[row]) > limit):
            kept.append((row, label))
    return kept


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


def selected_objects(
    detections: Detections, claim: Claim, threshold: float | None = None
) -> Iterable[int]:
    """Yield the rows of the objects with a requested class and the score that the claim wants.

    `threshold` is another minimum score.
    """
    names = set(requested_classes(detections.class_names, claim))
    threshold = claim.options["score_threshold"] if threshold is None else threshold
    for row in range(len(detections)):
        has_score = detections.scores[row] >= threshold
        if has_score and detections.class_name(row) in names:
            yield row


def label_values(controls: Iterable[Control], label: str | None) -> dict[Control, Any]:
    """Return what each control tag stores for an object: its label, or None if it only draws."""
    return {control: [label] if control.tag.endswith("Labels") else None for control in controls}

"""What was found, as regions of the control tags that draw."""

from collections.abc import Iterable, Iterator
from typing import Any

from backends.detection.model.detections import Detections
from backends.detection.regions.shapes import lacking, shapes
from backends.detection.tags.tag_options import kind
from shared.backend.claim import Claim
from shared.errors import UnfillableError, truncate
from shared.label_studio.label_config import Control
from shared.results import Region, region


def regions(found: Detections, claim: Claim, **place: Any) -> Iterator[Region]:
    """The objects in the shape of the claim's control tag. `place` goes into each region."""
    shape = kind(claim.control)
    check(found, claim)
    for index, label in labelled(found, claim, claim.controls[-1]):
        for drawn in shapes(shape, found, index, claim.options["upright"]):
            score = float(found.scores[index])
            yield region(drawn, marks(claim.controls, label), found.size, score, **place)


def check(found: Detections, claim: Claim) -> None:
    """UnfillableError if the network cannot find what the control tag draws; noted once."""
    missing = lacking(kind(claim.control), found)
    if missing is not None:
        raise unfillable(claim, missing)


def unfillable(claim: Claim, missing: str) -> UnfillableError:
    """Note that the network does not find what the control tag needs."""
    message = (
        f"{claim.control} needs {missing}, which {claim.spec.model} does not find:"
        " choose other weights with model_path, or in the DETECTION_ settings"
    )
    claim.warn_once(message)
    return UnfillableError(message)


def labelled(found: Detections, claim: Claim, control: Control) -> Iterable[tuple[int, str | None]]:
    """The objects that the claim wants, with their label in `control`; None if it has no labels."""
    plain = control.tag == kind(control)
    names = asked(found.names, claim)
    labels = {} if plain else claim.labels_for(names, control)
    for index in wanted(found, claim):
        label = labels.get(found.name(index))
        if plain or label is not None:
            yield index, label


def asked(names: Iterable[str], claim: Claim) -> list[str]:
    """Return the classes that are not left out by `model_classes`.

    UnfillableError if it names none that the network has.
    """
    classes, names = claim.options["classes"], list(names)
    kept = [name for name in names if not classes or name in classes]
    if not kept:
        message = (
            f"{claim.control} asks for the classes {', '.join(classes)} alone (model_classes, or"
            f" DETECTION_CLASSES), of which {claim.spec.model} has none; it has "
            + truncate(", ".join(names), 200)
        )
        claim.warn_once(message)
        raise UnfillableError(message)
    return kept


def wanted(found: Detections, claim: Claim) -> Iterable[int]:
    """The objects that are sure enough and of a class that is not left out."""
    names = set(asked(found.names, claim))
    for index in range(len(found)):
        sure = found.scores[index] >= claim.options["score_threshold"]
        if sure and found.name(index) in names:
            yield index


def marks(controls: Iterable[Control], label: str | None) -> dict[Control, Any]:
    """What each control tag says of an object; one without labels only draws."""
    has_labels = {control: control.tag.endswith("Labels") for control in controls}
    return {control: [label] if has else None for control, has in has_labels.items()}

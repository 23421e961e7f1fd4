"""What was found, as regions of the control tags that draw."""

from collections.abc import Iterable, Iterator
from typing import Any

from backends.detection.found import Found
from backends.detection.shapes import lacking, shapes
from backends.detection.wanted import kind
from shared.claim import Claim
from shared.label_config import Control
from shared.results import Region, region


def regions(found: Found, claim: Claim, **place: Any) -> Iterator[Region]:
    """The objects in the shape of the claim's control tag. `place` goes into each region."""
    shape = kind(claim.control)
    if is_lacking(found, claim):
        return
    for index, label in labelled(found, claim, claim.controls[-1]):
        for drawn in shapes(shape, found, index, claim.options["upright"]):
            score = float(found.scores[index])
            yield region(drawn, marks(claim.controls, label), found.size, score, **place)


def is_lacking(found: Found, claim: Claim) -> bool:
    """Whether the network cannot find what the control tag draws; it is said once."""
    missing = lacking(kind(claim.control), found)
    if missing is not None:
        claim.note(
            f"{claim.control} needs {missing}, which {claim.spec.model} does not find:"
            " choose other weights with model_path, or in the DETECTION_ settings"
        )
    return missing is not None


def labelled(found: Found, claim: Claim, control: Control) -> Iterable[tuple[int, str | None]]:
    """The objects that the claim wants, with their label in `control`; None if it has no labels."""
    plain = control.tag == kind(control)
    labels = {} if plain else claim.label_map(found.names, control).to_label
    for index in wanted(found, claim):
        label = labels.get(found.name(index))
        if plain or label is not None:
            yield index, label


def wanted(found: Found, claim: Claim) -> Iterable[int]:
    """The objects that are sure enough and of a class that is not left out."""
    classes = claim.options["classes"]
    for index in range(len(found)):
        named = not classes or found.name(index) in classes
        if named and found.scores[index] >= claim.options["score_threshold"]:
            yield index


def marks(controls: Iterable[Control], label: str | None) -> dict[Control, Any]:
    """What each control tag says of an object; one without labels only draws."""
    has_labels = {control: control.tag.endswith("Labels") for control in controls}
    return {control: [label] if has else None for control, has in has_labels.items()}

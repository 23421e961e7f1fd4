"""Which control tags of a label config are filled together, and with what of a text."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.claim import Claim
from shared.errors import ConfigError
from shared.label_config import Control, LabelConfig, ObjectTag

KINDS = {
    "rectangle": ("Rectangle", "RectangleLabels"),
    "polygon": ("Polygon", "PolygonLabels"),
}
"""The control tags that draw text, by `ocr_shape`; `auto` takes the first that the config has."""
ALIASES = {
    "text": ("Text", "Printed", "Printed text", "Line", "Text line", "Word", "OCR"),
    "handwriting": ("Handwriting", "Handwritten", "Handwritten text", "Script"),
}
HANDWRITING = "trocr"
"""The engine for handwriting: what it reads gets the label that means so."""

Group = tuple[Control, ...]


def groups(config: LabelConfig, target: ObjectTag) -> list[Group]:
    """The control tags on an image that are filled together.

    The one that draws, the labels if there are any and the text area per region; and each text
    area about the whole image by itself.
    """
    on_image = [control for control, of in config.pairs() if of is target]
    areas = [control for control in on_image if control.tag == "TextArea"]
    whole = [(area,) for area in areas if not area.per_region]
    area = next((area for area in areas if area.per_region), None)
    regions = _regions(on_image, area) if area else ()
    return [regions, *whole] if regions else list(whole)


def attribute(controls: Sequence[Control], key: str, default: str, allowed: Iterable[str]) -> str:
    """An attribute on any control tag of a group; ConfigError if it is none of `allowed`."""
    for control in controls:
        text = control.attrs.get(key, "").strip().lower()
        if text and text not in allowed:
            raise ConfigError(
                f'{control}: {key}="{control.attrs[key]}" should be one of {", ".join(allowed)}',
                control.name,
            )
        if text:
            return text
    return default


def marks(claim: Claim, text: str) -> dict[Control, Any]:
    """What each control tag of a claim says of a region with this text."""
    said: dict[Control, Any] = {}
    for control in claim.controls:
        if control.tag == "TextArea":
            said[control] = [text]
        elif control is claim.control and not control.labels:
            said[control] = None
        elif label := _label(claim, control):
            said[control] = [label]
    return said


def _regions(on_image: Sequence[Control], area: Control) -> Group:
    labels = next((control for control in on_image if control.tag == "Labels"), None)
    drawing = {
        kind: _preferred([c for c in on_image if c.tag in tags], labelled=labels is None)
        for kind, tags in KINDS.items()
    }
    found = {kind: control for kind, control in drawing.items() if control is not None}
    if not found:
        return ()
    shape = attribute([area, *found.values()], "ocr_shape", "auto", ("auto", *KINDS))
    if shape not in {"auto", *found}:
        raise ConfigError(
            f'{area}: ocr_shape="{shape}", but its image has no {" or ".join(KINDS[shape])}',
            area.name,
        )
    draws = next(iter(found.values())) if shape == "auto" else found[shape]
    beside = (labels,) if labels and not draws.labels else ()
    return (draws, *beside, area)


def _preferred(draws: Sequence[Control], labelled: bool) -> Control | None:
    """The first that has labels of its own if there is no other tag for them, else has none."""
    fitting = (control for control in draws if bool(control.labels) is labelled)
    return next(fitting, next(iter(draws), None))


def _label(claim: Claim, control: Control) -> str | None:
    """The label that means what the engine reads; else the tag's first that means nothing else."""
    to_label = claim.label_map(list(ALIASES), control, ALIASES).to_label
    kind = "handwriting" if claim.spec.model == HANDWRITING else "text"
    taken = {label for other, label in to_label.items() if other != kind}
    free = [label for label in control.labels if label not in taken]
    return to_label.get(kind) or next(iter([*free, *control.labels]), None)

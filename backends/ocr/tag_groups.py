"""Which control tags of a label config are filled together, and with what of a text."""

from collections.abc import Iterable, Sequence
from typing import Any

from backends.ocr.wording import asks_for_text
from shared.backend.claim import Claim
from shared.backend.label_map import fold_name
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag

# The control tags that draw text, by `ocr_shape`; `auto` takes the first that the config has.
KINDS = {
    "rectangle": ("Rectangle", "RectangleLabels"),
    "polygon": ("Polygon", "PolygonLabels"),
}
DRAWING = frozenset(tag for tags in KINDS.values() for tag in tags)
# Those that have no labels of their own.
PLAIN = frozenset(DRAWING - {"RectangleLabels", "PolygonLabels"})
# Names of labels for a line of text, by what has been read.
ALIASES = {
    "text": (
        *("Text", "Printed", "Printed text", "Line", "Lines", "Text line", "Word", "Words", "OCR"),
        *("Text region", "Text block", "Text box", "Text area", "Transcription"),
        *("Texte", "Texto", "Testo", "Tekst", "Текст", "文字", "文本", "テキスト", "텍스트"),
        "O",  # of BIO labels the one of a line that is no entity, or not yet
    ),
    "handwriting": ("Handwriting", "Handwritten", "Handwritten text", "Script"),
}
NAMES = frozenset(fold_name(name) for kind, names in ALIASES.items() for name in (kind, *names))
# The engine for handwriting: what it reads gets the label that means so.
HANDWRITING = "trocr"

Group = tuple[Control, ...]


def groups(config: LabelConfig, target: ObjectTag) -> list[Group]:
    """The control tags on an image that are filled together.

    The one that draws, the labels if there are any and the text area per region; and each text
    area about the whole image by itself. Only of text areas that ask for the text.
    """
    on_image = [control for control, of in config.pairs() if of is target]
    areas = [control for control in on_image if control.tag == "TextArea"]
    whole = [(area,) for area in areas if not area.per_region and asks_for_text(area)]
    beside = [control for control in on_image if control.tag in DRAWING or control.tag == "Labels"]
    per_region = (area for area in areas if area.per_region and asks_for_text(area, beside))
    area = next(per_region, None)
    regions = _regions(on_image, area) if area else ()
    return [regions, *whole] if regions else list(whole)


def labels_known(group: Group) -> int | None:
    """How many labels of a group are for text; None where that is not in question.

    That is where none has labels, all are for text, or `model_backend` asks for OCR.
    """
    labels = [(control, label) for control in group for label in control.labels]
    known = sum(means_text(control, label) for control, label in labels)
    asked = any(control.attrs.get("model_backend", "").strip() for control in group)
    return None if asked or known == len(labels) else known


def means_text(control: Control, label: str) -> bool:
    """Whether a label is for a line of text, printed or handwritten."""
    attrs = control.labels[label]
    written = (label, attrs.get("value", ""), *attrs.get("predicted_values", "").split(","))
    return any(fold_name(name) in NAMES for name in written)


def why_left(area: Control) -> str:
    """Why a text area on an image is not filled, though OCR is offered it."""
    if area.per_region and asks_for_text(area):
        tags = ", ".join(tag for tags in KINDS.values() for tag in tags)
        return f"ocr needs a tag on its image that draws ({tags}) for it alone"
    return (
        "ocr could fill it with the text in its image, but neither its name nor its header,"
        ' placeholder or labels ask for that; model_backend="ocr" on it does'
    )


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
    """What each control tag of a claim says of a region with this text.

    Labels of which none is for what was read say nothing: the region is then drawn by the text
    area, which the editor shows as a shape without a label.
    """
    said: dict[Control, Any] = {}
    for control in claim.controls:
        if control.tag == "TextArea":
            said[control] = [text]
        elif control.tag in PLAIN:
            if control is claim.control:
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
    beside = (labels,) if labels and not draws.labelled else ()
    plain = (c for c in on_image if c.tag in PLAIN and c is not draws)
    spare = () if labels else plain  # else the labels are taken, and so nobody draws with it
    return (draws, *spare, *beside, area)


def _preferred(draws: Sequence[Control], labelled: bool) -> Control | None:
    """The first that has labels of its own if there is no other tag for them, else has none."""
    fitting = (control for control in draws if control.labelled is labelled)
    return next(fitting, next(iter(draws), None))


def _label(claim: Claim, control: Control) -> str | None:
    """The label that means what the engine reads."""
    kind = "handwriting" if claim.spec.model == HANDWRITING else "text"
    return claim.label_map(list(ALIASES), control, ALIASES).to_label.get(kind)

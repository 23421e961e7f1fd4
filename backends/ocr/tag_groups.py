"""Which control tags of a label config are filled together, and with which values."""

from collections.abc import Iterable, Sequence
from typing import Any

from backends.ocr.layout.page import Block
from backends.ocr.wording import asks_for_text
from shared.backend import Claim, Control, LabelConfig, ObjectTag
from shared.backend.label_map import Aliases, fold_name
from shared.errors import ConfigError

# The control tags that draw a region around text, by `ocr_shape`. With "auto" the first shape wins
# for which the label config has a tag.
TAGS_BY_SHAPE = {
    "rectangle": ("Rectangle", "RectangleLabels"),
    "polygon": ("Polygon", "PolygonLabels"),
}
DRAWING_TAGS = frozenset(tag for tags in TAGS_BY_SHAPE.values() for tag in tags)
# Those that have no labels of their own.
UNLABELED_TAGS = frozenset(DRAWING_TAGS - {"RectangleLabels", "PolygonLabels"})
# Names of labels for a line of text, by the kind of text that an engine reads.
LABEL_ALIASES = {
    "text": (
        *("Text", "Printed", "Printed text", "Line", "Lines", "Text line", "Word", "Words", "OCR"),
        *("Text region", "Text block", "Text box", "Text area", "Transcription"),
        *("Texte", "Texto", "Testo", "Tekst", "Текст", "文字", "文本", "テキスト", "텍스트"),
        "O",  # in BIO schemes: a line that is no entity, or is not labeled yet
    ),
    "handwriting": ("Handwriting", "Handwritten", "Handwritten text", "Script"),
}
TEXT_LABEL_NAMES = frozenset(
    fold_name(name) for kind, names in LABEL_ALIASES.items() for name in (kind, *names)
)
# The engine that reads handwriting, and therefore gives the label for it.
HANDWRITING_ENGINE = "trocr"

Group = tuple[Control, ...]


def find_groups(config: LabelConfig, target: ObjectTag) -> list[Group]:
    """Return the groups of control tags on an image that are filled together.

    A group is either a tag that draws, the labels if there are any and the text area of each
    region; or one text area of the whole image. Text areas that do not ask for text are left out.
    """
    controls = [control for control, of in config.tag_pairs() if of is target]
    areas = [control for control in controls if control.tag == "TextArea"]
    of_image = [(area,) for area in areas if not area.per_region and asks_for_text(area)]
    labels = [
        control for control in controls if control.tag in DRAWING_TAGS or control.tag == "Labels"
    ]
    of_regions = (area for area in areas if area.per_region and asks_for_text(area, labels))
    area = next(of_regions, None)
    region_group = _region_group(controls, area) if area else ()
    return [region_group, *of_image] if region_group else list(of_image)


def count_text_labels(group: Group, names: Iterable[str] = ()) -> int | None:
    """Return how many labels of a group are for text, or have one of some names.

    None if that need not be asked: all labels are, there are none, or `model_backend` asks for OCR.
    """
    labels = [(control, label) for control in group for label in control.labels]
    folded = {fold_name(name) for name in names} | TEXT_LABEL_NAMES
    count = sum(not folded.isdisjoint(_names_of(control, label)) for control, label in labels)
    asked = any(control.attrs.get("model_backend", "").strip() for control in group)
    return None if asked or count == len(labels) else count


def is_text_label(control: Control, label: str) -> bool:
    """Return whether a label is for a line of text, printed or handwritten."""
    return not TEXT_LABEL_NAMES.isdisjoint(_names_of(control, label))


def find_layout_controls(config: LabelConfig, target: ObjectTag) -> list[Control]:
    """Return the RectangleLabels of an image that are not drawn around text."""
    taken = {control.name for group in find_groups(config, target) for control in group}
    return [
        control
        for control, shown in config.tag_pairs()
        if shown is target and control.tag == "RectangleLabels" and control.name not in taken
    ]


def count_named_labels(control: Control, names: Iterable[str]) -> int:
    """Return how many labels of a control tag have one of some names, in any spelling."""
    folded = {fold_name(name) for name in names}
    return sum(not folded.isdisjoint(_names_of(control, label)) for label in control.labels)


def _names_of(control: Control, label: str) -> set[str]:
    """Return the names by which a class may be matched to a label, folded."""
    attrs = control.labels[label]
    given = (label, attrs.get("value", ""), *attrs.get("predicted_values", "").split(","))
    return {fold_name(name) for name in given}


def explain_unfilled_area(area: Control) -> str:
    """Tell why OCR does not fill a text area on an image."""
    if area.per_region and asks_for_text(area):
        tags = ", ".join(tag for tags in TAGS_BY_SHAPE.values() for tag in tags)
        return f"ocr needs a tag on its image that draws ({tags}) for it alone"
    return (
        "ocr could fill it with the text in its image, but neither its name nor its header,"
        ' placeholder or labels ask for that; model_backend="ocr" on it does'
    )


def read_attribute(
    controls: Sequence[Control], key: str, default: str, allowed: Iterable[str]
) -> str:
    """Return an attribute of the first control tag that has it; ConfigError if not `allowed`."""
    for control in controls:
        value = control.attrs.get(key, "").strip().lower()
        if value and value not in allowed:
            raise ConfigError(
                f'{control}: {key}="{control.attrs[key]}" should be one of {", ".join(allowed)}',
                control.name,
            )
        if value:
            return value
    return default


def control_values(claim: Claim, text: str) -> dict[Control, Any]:
    """Return the values of a claim's control tags for a region with this text.

    Where no label is for such text, the labels have no value: the region is then drawn by the
    text area, which the editor shows as a shape without a label.
    """
    values: dict[Control, Any] = {}
    for control in claim.controls:
        if control.tag == "TextArea":
            values[control] = [text]
        elif control.tag in UNLABELED_TAGS:
            if control is claim.control:
                values[control] = None
        elif label := _text_label(claim, control):
            values[control] = [label]
    return values


def block_values(
    claim: Claim, block: Block, names: Sequence[str], aliases: Aliases
) -> dict[Control, Any]:
    """Return the values of a claim's control tags for a block, with its text, if it has one.

    `names` are all classes. Where the labels are for text alone, each text is given that label.
    """
    values: dict[Control, Any] = {}
    for control in claim.controls:
        if control.tag == "TextArea":
            values |= {control: [block.text]} if block.text else {}
        elif control.tag in UNLABELED_TAGS:
            values |= {control: None} if control is claim.control else {}
        elif label := _block_label(claim, control, block, names, aliases):
            values[control] = [label]
    return values


def _block_label(
    claim: Claim, control: Control, block: Block, names: Sequence[str], aliases: Aliases
) -> str | None:
    both = {**aliases, "text": (*aliases.get("text", ()), *LABEL_ALIASES["text"])}
    labels = claim.label_map(names, control, both).to_label
    if block.name in labels or block.is_inside or not block.text:
        return labels.get(block.name)
    printed = labels.get("text")
    others = set(labels.values()) - {printed, labels.get("handwritten_text")}
    return None if others else printed


def _region_group(controls: Sequence[Control], area: Control) -> Group:
    labels = next((control for control in controls if control.tag == "Labels"), None)
    candidates = {
        shape: _choose_drawing_tag([c for c in controls if c.tag in tags], labeled=labels is None)
        for shape, tags in TAGS_BY_SHAPE.items()
    }
    drawing = {shape: control for shape, control in candidates.items() if control is not None}
    if not drawing:
        return ()
    shape = read_attribute([area, *drawing.values()], "ocr_shape", "auto", ("auto", *TAGS_BY_SHAPE))
    if shape not in {"auto", *drawing}:
        tags = " or ".join(TAGS_BY_SHAPE[shape])
        raise ConfigError(f'{area}: ocr_shape="{shape}", but its image has no {tags}', area.name)
    draws = next(iter(drawing.values())) if shape == "auto" else drawing[shape]
    own_labels = (labels,) if labels and not draws.has_labels else ()
    # Another unlabeled tag is claimed as well, so that no other backend draws with it. Where there
    # are `Labels`, claiming those prevents that already.
    unlabeled = (c for c in controls if c.tag in UNLABELED_TAGS and c is not draws)
    return (draws, *(() if labels else unlabeled), *own_labels, area)


def _choose_drawing_tag(candidates: Sequence[Control], labeled: bool) -> Control | None:
    """Return the first candidate with (or without) labels of its own, else the first of all."""
    fitting = (control for control in candidates if control.has_labels is labeled)
    return next(fitting, next(iter(candidates), None))


def _text_label(claim: Claim, control: Control) -> str | None:
    """Return the label for the kind of text that the engine reads."""
    kind = "handwriting" if claim.spec.model == HANDWRITING_ENGINE else "text"
    return claim.label_map(list(LABEL_ALIASES), control, LABEL_ALIASES).to_label.get(kind)

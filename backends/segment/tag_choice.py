"""Which control tags take clicks, boxes and strokes, and which get the masks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeAlias

from backends._inference.published_names import (
    PUBLISHED_DETECTORS,
    PUBLISHED_SEGMENTERS,
    suggest_published,
)
from backends.segment.settings import SegmentSettings
from shared.backend import Control, LabelConfig, ObjectTag
from shared.errors import ConfigError, truncate
from shared.settings import Settings

# Tags that are drawn as prompts, if they say smart="true".
PROMPT_TAGS = frozenset(("KeyPoint", "Rectangle", "Ellipse", "Polygon", "Brush", "Bitmask"))
# Tags that can get a mask, the closest to it first: of the tags that have an object's label the
# first one gets the region.
MASK_TAGS = ("Brush", "Bitmask", "Polygon", "Ellipse", "Rectangle")
# Clicks along the longer side of an image, where all objects are looked for.
DEFAULT_GRID_CLICKS = 16
# Values of `model_segment` that ask for nothing.
UNASKED = frozenset(("", "false"))
# Attributes of a tag that are not those of the tag for boxes in its place.
SKIP = frozenset(("model_skip",))
OWN_ATTRIBUTES = SKIP | {"model_segment", "model_backend", "model_path", "smart", "smartonly"}
# Those that hold the mask itself.
EXACT_TAGS = ("Brush", "Bitmask")

# A control tag that draws, and the Labels tag that names what it draws, if there is one.
ControlGroup: TypeAlias = tuple[Control, ...]


def base_tag(control: Control) -> str:
    """Return the tag without "Labels": "Rectangle" for RectangleLabels."""
    return control.tag.removesuffix("Labels")


def is_smart(control: Control) -> bool:
    """Return whether a control tag is to be drawn for a model, as the label config says."""
    if base_tag(control) not in PROMPT_TAGS or control.tag == "Labels":
        return False
    return control.get_flag("smart") or control.get_flag("smartonly")


def find_mask_controls(config: LabelConfig, target: ObjectTag) -> list[Control]:
    """Return the control tags of an image that get masks, in the order in which they are chosen.

    None if the image has no smart tag: a smart key point asks for any of the tags, another smart
    tag for a mask only, since OCR reads smart boxes. A tag whose `model_backend` names this
    backend, or that has `model_segment`, needs no smart tag, and comes first.
    """
    controls = [control for control, of in config.tag_pairs() if of is target]
    outputs = [control for control in controls if base_tag(control) in MASK_TAGS]
    named = [control for control in outputs if _names_segment(control)]
    smart = {base_tag(control) for control in controls if is_smart(control)}
    if not smart and not named:
        return []
    if "KeyPoint" not in smart and not any(base_tag(c) in EXACT_TAGS for c in outputs):
        outputs = named
    return sorted(outputs, key=lambda control: (control not in named, _rank(control)))


def wants_boxes(control: Control) -> bool:
    """Return whether boxes become masks in bulk: `model_segment="true"`."""
    return control.attrs.get("model_segment", "").strip() == "true"


def describe_wanted(control: Control) -> str:
    """Return which masks a control tag asks for, for a message."""
    wanted = control.attrs.get("model_segment", "").strip()
    return "masks of clicks" if wanted in UNASKED else f'masks, as model_segment="{wanted}" asks'


def find_prompts(group: ControlGroup, config: LabelConfig, whole: LabelConfig) -> ControlGroup:
    """Return the tags whose boxes become masks in bulk, for a tag with `model_segment="true"`.

    They are those on the image that draw boxes for one of its labels, even if they are skipped:
    then the boxes are not shown. Without any it is a tag for boxes in the place of the mask's.
    `whole` is the label config with the tags that `config` lacks since they are skipped.
    """
    control = group[0]
    if not wants_boxes(control):
        return ()
    boxes = [
        config.find_control(other.name, control.to_name) or _changed(other, other.tag, SKIP)
        for other in whole.controls_on(control.to_name)
        if base_tag(other) == "Rectangle" and not _names_segment(other)
        if _may_share_labels((other, *shared_labels(other, whole)), group)
    ]
    if boxes:
        return tuple(boxes)
    tag = "RectangleLabels" if control.tag.endswith("Labels") else "Rectangle"
    return (_changed(control, tag, OWN_ATTRIBUTES),)


def _changed(control: Control, tag: str, removed: frozenset[str]) -> Control:
    """Return a control tag as another tag, without some of its attributes."""
    attributes = {key: text for key, text in control.attrs.items() if key not in removed}
    return replace(control, tag=tag, attrs=attributes)


def _may_share_labels(boxes: ControlGroup, masks: ControlGroup) -> bool:
    one, other = boxes[-1], masks[-1]
    is_known = one.labels and other.labels and not one.dynamic and not other.dynamic
    return not is_known or not set(one.labels).isdisjoint(other.labels)


def read_grid_clicks(group: ControlGroup) -> int:
    """Return how many clicks along an image find all objects in bulk; 0: none are looked for.

    That is `model_grid` of a tag with `model_segment="everything"`.

    ConfigError if several labels could be meant, or the attribute has another value.
    """
    control = group[0]
    wanted = control.attrs.get("model_segment", "").strip()
    if wanted in {*UNASKED, "true"}:
        return 0
    if wanted != "everything":
        raise ConfigError(
            f'{control}: model_segment="{wanted}" should be everything, true or false', control.name
        )
    if len(group[-1].labels) > 1:
        raise ConfigError(
            f'{control}: model_segment="everything" finds objects without knowing their labels:'
            f" give it one label, and not {len(group[-1].labels)}",
            control.name,
        )
    return int(control.get_number("model_grid", DEFAULT_GRID_CLICKS, low=1, high=64))


def _names_segment(control: Control) -> bool:
    is_chosen = control.attrs.get("model_backend", "").strip() == "segment"
    return is_chosen or control.attrs.get("model_segment", "").strip() not in UNASKED


def _rank(control: Control) -> int:
    return MASK_TAGS.index(base_tag(control))


def shared_labels(control: Control, config: LabelConfig) -> tuple[Control, ...]:
    """Return the Labels on the same image, for a tag that draws but has no labels of its own."""
    labels = [other for other in config.controls_on(control.to_name) if other.tag == "Labels"]
    return tuple(labels[:1]) if not control.tag.endswith("Labels") else ()


@dataclass(frozen=True)
class LabelOwnership:
    """Which objects a claim gets: those with its `labels`, of several tags the first that has one.

    None stands for all objects whose label is not `elsewhere`; `rest_elsewhere` says that another
    claim gets those.
    """

    labels: frozenset[str] | None
    elsewhere: frozenset[str]
    rest_elsewhere: bool

    def __str__(self) -> str:
        """The same in every process, as the version of a model has to be: sets have no order."""
        own = "all" if self.labels is None else ", ".join(sorted(self.labels))
        return f"{own}; not {', '.join(sorted(self.elsewhere))}; rest {self.rest_elsewhere}"

    def has_place_for(self, label: str) -> bool:
        """Return whether any claim of the image gets objects with a label, "" for none."""
        if self.labels is None or self.rest_elsewhere:
            return True
        known = self.labels | self.elsewhere
        return label in known if label else len(known) == 1


def share_labels(groups: Sequence[tuple[Control, ...]]) -> list[LabelOwnership]:
    """Return which objects each group of control tags gets, in their order."""
    taken: set[str] = set()
    rest = next((n for n, group in enumerate(groups) if not group[-1].has_labels), None)
    every = frozenset(label for group in groups for label in group[-1].labels)
    shares = []
    for number, group in enumerate(groups):
        own = None if number == rest else frozenset(group[-1].labels) - taken
        taken |= own or frozenset()
        has_rest = rest is not None and number != rest
        shares.append(LabelOwnership(own, every - (own or frozenset()), has_rest))
    return shares


def choose_model(controls: Sequence[Control], settings: SegmentSettings, server: Settings) -> str:
    """Return the weights for control tags: the first `model_path`, or else the setting's.

    ConfigError if a label config may not load what it names: weights can contain code.
    """
    for control in controls:
        requested = control.attrs.get("model_path", "").strip()
        if requested and not _is_box_model(control):
            _check_model_path(requested, control, settings, server)
            return requested
    return settings.model


def _is_box_model(control: Control) -> bool:
    """Return whether `model_path` of a tag is that of what fills it in bulk, or its boxes."""
    if control.attrs["model_path"].strip() in PUBLISHED_DETECTORS:
        return True
    return (
        base_tag(control) == "Rectangle" and not is_smart(control) and not _names_segment(control)
    )


def _check_model_path(
    model: str, control: Control, settings: SegmentSettings, server: Settings
) -> None:
    if model in PUBLISHED_SEGMENTERS | {settings.model, "starter", *settings.allowed_models}:
        return
    path, root = PurePosixPath(model), server.model_dir.resolve()
    try:
        found = (root / path).resolve(strict=True)
    except OSError:  # it is not there, or too long for a name
        found = None
    if found is None or not found.is_relative_to(root) or path.is_absolute():
        raise ConfigError(
            f'{control}: model_path="{truncate(model, 200)}" is no Segment Anything that'
            " Ultralytics publishes, not in MODEL_DIR, and not listed in SEGMENT_ALLOWED_MODELS"
            + suggest_published(model, PUBLISHED_SEGMENTERS),
            control.name,
        )

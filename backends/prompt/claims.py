"""Which control tags of a label config are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from backends.prompt.answer_schema.boxes import draws_boxes
from backends.prompt.answer_schema.messages import draws_messages
from backends.prompt.answer_schema.spans import draws_spans
from backends.prompt.content.content import READERS
from backends.prompt.learning.learned_prompt import LearnedPrompt
from backends.prompt.questions import QuestionMaker, draws
from backends.prompt.requests import is_request_tag
from backends.prompt.settings import PromptSettings
from backends.prompt.user_regions import draws_regions
from shared.backend import Claim, Control, LabelConfig, ModelSpec

# What a model must take for each object tag, beside text.
MODALITIES: Mapping[str, str] = {"Image": "image", "Video": "image", "Audio": "audio"}

# Why control tags are left, as ends of sentences that begin with their names.
_REQUEST = "holds what the annotator asks for"
_REQUEST_BY_NAME = (
    "holds what the annotator asks for, by its name (PROMPT_PREFIX), and is not filled:"
    ' model_prompt_input="false" changes that, "true" says that it is meant so'
)
_NO_PLACE = "cannot be placed by what a language model says"
_NO_BOX_FORMAT = (
    "could be filled by a vision model that writes boxes: set PROMPT_BOX_FORMAT to how it writes"
    " them"
)
_OTHERS_REGIONS = (
    "cannot be filled in bulk: the regions of others come too late for a question; with"
    " auto-annotation on, each region that the annotator draws is asked about"
)
_NO_REGIONS = "cannot be filled: prompt does not fill what draws the regions that are described"


NOTHING_LEARNED: Mapping[str, LearnedPrompt] = MappingProxyType({})


def claim_controls(
    config: LabelConfig,
    spec: ModelSpec,
    settings: PromptSettings,
    learned: Mapping[str, LearnedPrompt] = NOTHING_LEARNED,
) -> list[Claim]:
    """Return one claim of everything that is asked for, across object tags; none if it is nothing.

    Its object tag is that of the first control tag. What it asks is part of the model version, and
    so is what control tags have `learned`.
    """
    controls = tuple(askable_controls(config, settings))
    if not controls:
        return []
    options = QuestionMaker(config, settings, learned).options(controls)
    claim = Claim(controls, config.objects[controls[0].to_name], spec, options)
    drawn = _objects_with_regions(controls)
    apart = [str(c) for c in controls if c.per_region and drawn.isdisjoint(c.to_names)]
    if apart:
        claim.warn_once(f"{_join(apart)} {_OTHERS_REGIONS}")
    return [claim]


def askable_controls(config: LabelConfig, settings: PromptSettings) -> Iterator[Control]:
    """Yield the control tags that are asked for, each on the object tag that it is asked about.

    Control tags with `perRegion` come with those whose regions are asked for, too. Regions of
    other backends come too late for a question; those that annotators draw are asked
    about one by one.
    """
    asked = [
        control for control in _on_objects(config) if _obstacle(control, config, settings) == ""
    ]
    whole = LabelConfig.parse(config.xml)  # `config` may have only what others left
    drawn = _objects_with_regions(asked)
    drawn |= {c.to_name for c in _on_objects(whole) if draws_regions(c, whole)}
    for control in asked:
        if not control.per_region:
            yield control
        elif names := [name for name in control.to_names if name in drawn]:
            yield control.on_object(names[0])


def _objects_with_regions(controls: Iterable[Control]) -> set[str]:
    """Return the names of the object tags on which control tags draw."""
    return {control.to_name for control in controls if not control.per_region and draws(control)}


def explain_left(config: LabelConfig, settings: PromptSettings) -> Iterator[str]:
    """Yield why control tags are left that nobody else fills: a sentence for each reason."""
    asked = {control.name for control in askable_controls(config, settings)}
    if not settings.model:
        names = [str(control) for control in config.controls if control.name in asked]
        if names:
            yield f"{_join(names)} could be filled by a language model: set PROMPT_MODEL to one"
        return
    reasons: dict[str, list[str]] = {}
    for control in config.controls:
        if control.name in asked or control.is_remote or control.repeated:
            continue
        why = _obstacle(control, config, settings) or _NO_REGIONS
        if why != _REQUEST:
            reasons.setdefault(why, []).append(str(control))
    if _NO_BOX_FORMAT in reasons:
        reasons.pop(_NO_REGIONS, None)  # they come with the boxes
    for why, names in reasons.items():
        yield f"{_join(names)} {why}"


def _on_objects(config: LabelConfig) -> Iterator[Control]:
    """Yield each control tag: one that draws on each of its object tags, another once."""
    for control in config.controls:
        if draws(control):
            yield from (control.on_object(name) for name in control.to_names)
        else:
            yield control


def _obstacle(control: Control, config: LabelConfig, settings: PromptSettings) -> str:
    """Return why a control tag cannot be asked for, as the end of a sentence; empty if it can."""
    if is_request_tag(control, config, settings):
        return _REQUEST if "model_prompt_input" in control.attrs else _REQUEST_BY_NAME
    if draws(control) and not (draws_spans(control, config) or draws_messages(control)):
        if not draws_boxes(control, config):
            return _NO_PLACE
        if settings.box_format is None:
            return _NO_BOX_FORMAT
    targets = [config.objects[name] for name in control.to_names if name in config.objects]
    for target in targets:
        if target.tag not in READERS:
            return f"cannot be asked for: a language model is not shown {target}"
        needed = MODALITIES.get(target.tag, "text")
        if needed not in settings.modalities:
            return f"cannot be asked for: {target} takes a model with {needed} (PROMPT_MODALITIES)"
    return "" if targets else "cannot be asked for: the label config lacks the object tag"


def _join(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

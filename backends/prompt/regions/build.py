"""Builds the regions of an answer: each control tag has its builder."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from backends.prompt.answer_schema import escape_pointer, property_name
from backends.prompt.answer_schema.boxes import BOX_CONTROLS
from backends.prompt.answer_schema.fields import VALUE, picture_indices
from backends.prompt.answer_schema.spans import SPAN_CONTROLS
from backends.prompt.question import Answer
from backends.prompt.regions.boxes import build_boxes
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.messages import build_messages
from backends.prompt.regions.relations import build_relations
from backends.prompt.regions.spans import PlacedSpan, build_spans, look_up_spans
from backends.prompt.regions.values import read_value
from backends.prompt.regions.whole_task import build_whole_task
from backends.prompt.regions.window_values import combine_windows
from backends.prompt.visibility import Visibility, chosen_names
from shared.backend import Claim, Control, LabelConfig, Passages
from shared.results import Omission, Region

RegionBuilder: TypeAlias = Callable[[ControlAnswer], Iterable[Region | Omission]]

# By control tag.
BUILDERS: Mapping[str, RegionBuilder] = {
    **dict.fromkeys(
        ("Choices", "Taxonomy", "Rating", "Number", "DateTime", "TextArea", "Pairwise", "Ranker"),
        build_whole_task,
    ),
    **dict.fromkeys(SPAN_CONTROLS, build_spans),
    **dict.fromkeys(BOX_CONTROLS, build_boxes),
    "Chat": build_messages,
}


def build_regions(answer: Answer, claim: Claim, config: LabelConfig) -> Iterator[Region | Omission]:
    """Yield the regions of an answer, and what of it no region can hold.

    Control tags with `perRegion` come with the regions that they describe. Those that the editor
    would not show beside the answer (`visibleWhen`) are left out.
    """
    answer = combine_windows(answer, claim.controls, config)
    spans: list[PlacedSpan] = []
    for found in _control_answers(answer, claim, config):
        if isinstance(found.source, Passages) and found.control.tag in SPAN_CONTROLS:
            lookup = look_up_spans(found)
            spans += lookup.spans
            yield from lookup.results()
        else:
            yield from BUILDERS[found.control.tag](found)
    yield from build_relations(answer, config, spans)


def _control_answers(answer: Answer, claim: Claim, config: LabelConfig) -> Iterator[ControlAnswer]:
    """Yield what is answered of each control tag that is not about single regions."""
    visibility = read_visibility(answer, claim, config)
    for control in claim.controls:
        name = property_name(control, config)
        value = answer.values.get(name)
        if value is None or control.per_region or control.tag not in BUILDERS:
            continue
        if not visibility.shows(control):
            continue
        inside = tuple(
            other
            for other in claim.controls
            if other.per_region and control.to_name in other.to_names
        )
        pointer = f"/{escape_pointer(name)}"
        yield ControlAnswer(control, value, pointer, answer, claim, config, inside, visibility)


def read_visibility(answer: Answer, claim: Claim, config: LabelConfig) -> Visibility:
    """Return what the editor shows beside the choices of an answer."""
    controls = {control.name: control for control in claim.controls}
    chosen = {
        control.name: _chosen(control, answer, config)
        for control in claim.controls
        if control.tag in {"Choices", "Taxonomy"} and not control.per_region
    }
    return Visibility(controls, chosen)


def _chosen(control: Control, answer: Answer, config: LabelConfig) -> frozenset[str]:
    value = answer.values.get(property_name(control, config))
    sources = answer.question.sources
    parts = [value]
    if picture_indices(control, sources) and isinstance(value, list):
        parts = [entry.get(VALUE) for entry in value if isinstance(entry, dict)]
    said = (read_value(control, part, "", sources).answer for part in parts)
    return frozenset(
        name
        for one in said
        for name in chosen_names(control, one if isinstance(one, list) else [one])
    )

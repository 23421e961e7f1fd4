"""Regions that the annotator has just drawn: in interactive mode, what is to be said of each.

Whoever draws regions, the annotator or another backend, control tags with `perRegion` can be
answered for a region only once it is there: so the editor's context brings them one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.prompt.answer_schema import allow_null, closed_object, describe_value
from backends.prompt.answer_schema.spans import draws_spans, per_region_controls
from backends.prompt.content.crops import marks_area, read_crop
from backends.prompt.content.reading import Reading
from backends.prompt.question import Answer, ContentPart, ImagePart, Question, TextPart
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.items import attach_values, shown_answers
from shared.backend import Claim, Context, Control, LabelConfig, Passages
from shared.results import Omission, Region
from shared.results.parse import ParsedRegion, parse_each_region

# The key of a question's sources under which the drawn regions are; no tag has such a name.
USER_REGIONS = "context.result"
# The editor sends all regions of a kind with each new one; of more only the last are described.
MAX_REGIONS = 20
# What a region's result has at least.
RESULT_KEYS = {"id": str, "from_name": str, "value": dict}
# The tags with which areas of pictures are drawn.
AREA_CONTROLS = frozenset(
    tag + end for tag in ("Rectangle", "Ellipse", "Polygon") for end in ("", "Labels")
)


@dataclass(frozen=True)
class UserRegion:
    """A region that the annotator has drawn on a text or a picture.

    - `name`: what it is called in the question
    - `results`: as the editor sent them: its shape, and what has been said of it
    - `control`, `labels`: the control tag that drew it, and its labels
    - `text`, `picture`: what it marks
    - `asked`: the control tags that nothing has been said with
    """

    name: str
    results: tuple[dict[str, Any], ...]
    control: Control
    labels: tuple[str, ...]
    text: str
    asked: tuple[Control, ...]
    picture: ImagePart | None = None


def read_user_regions(
    context: Context, reading: Reading, sources: Mapping[str, Any]
) -> tuple[UserRegion, ...]:
    """Return the drawn regions of a context of which something can be said.

    Results that cannot be read are skipped: the editor sends what it has.
    """
    found: list[UserRegion] = []
    controls, config = reading.controls, reading.config
    for results in _group_by_region(context):
        parsed = _parse_region(results, config, sources)
        if parsed is None:
            continue
        control = next(control for control in parsed.values if draws_regions(control, config))
        answered = {result["from_name"] for result in results}
        asked = tuple(
            other
            for other in per_region_controls(control, config)
            if other.name not in answered and any(c.name == other.name for c in controls)
        )
        if asked:
            name = f"region {len(found) + 1}"
            text, picture = parsed.shape.to_value(parsed.source)[0].get("text", ""), None
            if marks_area(parsed):
                picture = read_crop(reading, config.objects[control.to_name], parsed, name)
            first = sorted(results, key=lambda result: result["from_name"] != control.name)
            kept = tuple(_with_offsets(result) for result in first)
            labels = tuple(parsed.values[control] or ())
            found.append(UserRegion(name, kept, control, labels, text, asked, picture))
    return tuple(found[-MAX_REGIONS:])


def _with_offsets(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result on a Text with `globalOffsets`.

    The editor replaces a region by the one of its id and draws it at once, by these offsets, which
    it computes only for regions that it has loaded (its RichTextRegion, HighlightMixin): without
    them it ends in an error.
    """
    value = result["value"]
    start, end = value.get("start"), value.get("end")
    if "startOffset" in value or not (isinstance(start, int) and isinstance(end, int)):
        return result
    return {**result, "value": {**value, "globalOffsets": {"start": start, "end": end}}}


def _group_by_region(context: Context) -> list[list[dict[str, Any]]]:
    """Return the results of each region, without those that are none."""
    groups: dict[str, list[dict[str, Any]]] = {}
    results = context.get("result")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and all(
            isinstance(result.get(key), kind) for key, kind in RESULT_KEYS.items()
        ):
            groups.setdefault(result["id"], []).append(result)
    return list(groups.values())


def _parse_region(
    results: Sequence[dict[str, Any]], config: LabelConfig, sources: Mapping[str, Any]
) -> ParsedRegion | None:
    """Return a region on a text, or an area of a picture; None if it is neither, or unreadable."""
    texts = {
        name: source.source for name, source in sources.items() if isinstance(source, Passages)
    }
    for parsed in parse_each_region(results, config, texts):
        if isinstance(parsed, ParsedRegion) and any(
            draws_regions(control, config) and (control.to_name in texts or marks_area(parsed))
            for control in parsed.values
        ):
            return parsed
    return None


def draws_regions(control: Control, config: LabelConfig) -> bool:
    """Return whether annotators draw regions with a control tag that a model can be shown."""
    target = config.objects.get(control.to_name)
    on_picture = target is not None and target.tag == "Image" and control.tag in AREA_CONTROLS
    return on_picture or draws_spans(control, config)


# The question


def region_schema(regions: Sequence[UserRegion], sources: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of what is said of drawn regions: an object for each."""
    properties = {}
    for region in regions:
        values = {
            control.name: allow_null(schema)
            for control in region.asked
            if (schema := describe_value(control, sources)) is not None
        }
        if values:
            properties[region.name] = closed_object(values)
    return closed_object(properties)


def region_parts(regions: Sequence[UserRegion]) -> tuple[ContentPart, ...]:
    """Return what is marked, with its labels, as what the task shows."""
    parts: list[ContentPart] = []
    for region in regions:
        parts += () if region.picture is None else (region.picture,)
        marked = f"(marked as {', '.join(region.labels)})" if region.labels else "(marked)"
        parts.append(TextPart(region.name, f"{region.text}\n{marked}".lstrip()))
    return tuple(parts)


def pick_window(windows: Sequence[Question]) -> Question:
    """Return the window of a long text that has the most of the drawn regions."""
    return max(windows, key=_count_regions)


def _count_regions(window: Question) -> int:
    regions: Sequence[UserRegion] = window.sources[USER_REGIONS]
    texts = [
        part.text
        for part in window.content
        if isinstance(part, TextPart) and part.name in window.sources
    ]
    return sum(any(region.text in text for text in texts) for region in regions)


# The answer


def build_user_regions(
    answer: Answer, claim: Claim, config: LabelConfig
) -> Iterator[Region | Omission]:
    """Yield each drawn region with what is said of it.

    The editor replaces a region by the one of its id: so the results that it had come with it.
    """
    regions: Sequence[UserRegion] = answer.question.sources[USER_REGIONS]
    for region in regions:
        values = answer.values.get(region.name)
        if not isinstance(values, Mapping):
            continue
        pointer = f"/{region.name}"
        found = ControlAnswer(region.control, values, pointer, answer, claim, config)
        drawn = Region(region.results[0]["id"], region.results)
        asked = {control.name for control in region.asked}
        said = {name: value for name, value in values.items() if name in asked}
        described, omissions = attach_values(drawn, shown_answers(found, said, region.labels))
        if len(described.results) > len(region.results):
            yield described
        yield from omissions

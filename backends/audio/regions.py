"""From what was heard to regions and to choices of the whole recording."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.audio.activity import ActivitySpan
from backends.audio.models.speakers import name_by_order
from backends.audio.scores import find_events, mean_scores
from backends.audio.sound import Heard, SoundOutput
from backends.audio.tag_groups import ACTIVITY_ALIASES, read_ratings
from shared.backend import Claim, Control, SelectedChoices, select_choices
from shared.backend.choices import allows_several, class_names
from shared.results import AudioSpan, Region, region, whole_task

KINDS = tuple(ACTIVITY_ALIASES)


@dataclass(frozen=True)
class ActivityOutput:
    """The spans of kinds of sound, or of speakers, in a recording of so many seconds."""

    spans: tuple[ActivitySpan, ...]
    length: float


def draw_activity(
    output: ActivityOutput, claim: Claim, sounds: SoundOutput | None = None
) -> Iterable[Region]:
    """Yield the spans that have a label; with the choices of each, where sounds were classified."""
    labels = claim.labels_for(KINDS, aliases=ACTIVITY_ALIASES)
    heard = [one for one in sounds.heard if one.window.purpose == "segment"] if sounds else []
    for place, span in enumerate(output.spans):
        label = labels.get(span.kind)
        if label is None:
            continue
        values: dict[Control, Any] = {claim.control: [label]}
        if sounds is not None:
            chosen = window_choices(sounds, heard[place : place + 1], claim)
            values |= {control: choice.answer for control, choice in chosen.items()}
        yield _draw(span, values, output.length)


def draw_speakers(output: ActivityOutput, claim: Claim) -> Iterable[Region]:
    """Yield the spans of speakers: the first label is for who speaks first."""
    labels = name_by_order(output.spans, list(claim.control.labels))
    for span in output.spans:
        if span.kind in labels:
            yield _draw(span, {claim.control: [labels[span.kind]]}, output.length)


def _draw(span: ActivitySpan, values: Mapping[Control, Any], length: float) -> Region:
    shape = AudioSpan(span.start, span.end, span.channel)
    return region(shape, values, source=length, score=span.score)


def draw_events(output: SoundOutput, claim: Claim) -> Iterable[Region]:
    """Yield the spans of events."""
    names, threshold = claim.options["names"], claim.options["score_threshold"]
    if not output.heard:
        return
    classes = names if output.named else tuple(output.heard[0].logits)
    labels = claim.labels_for(classes)
    for event in find_events(output, classes, threshold):
        if event.name in labels:
            span = AudioSpan(event.start, event.end, event.channel)
            values = {claim.control: [labels[event.name]]}
            yield region(span, values, source=output.length, score=event.score)


def window_choices(
    output: SoundOutput, heard: Sequence[Heard], claim: Claim
) -> dict[Control, SelectedChoices]:
    """Return the choices of each further control tag of a claim, for what was heard in a region."""
    found: dict[Control, SelectedChoices] = {}
    for control in claim.controls[1:]:
        chosen = _select(output, heard, replace(claim, controls=(control,)))
        if chosen is not None:
            found[control] = chosen
    return found


def _select(output: SoundOutput, heard: Sequence[Heard], claim: Claim) -> SelectedChoices | None:
    several = allows_several(claim.control)
    scores = mean_scores(heard, output, class_names(claim.control), several)
    exclusive = output.exclusive and not (output.named and several)
    return select_choices(scores, claim, exclusive)


def fill_whole_recording(output: SoundOutput, claim: Claim) -> Iterable[Region]:
    """Yield the choices or the rating of a whole recording."""
    heard = [one for one in output.heard if one.window.purpose == "whole"]
    if claim.control.tag == "Rating":
        yield from _rate(output, heard, claim.control)
        return
    chosen = _select(output, heard, claim)
    if chosen is not None:
        yield whole_task(claim.control, chosen.answer, score=chosen.score)


def _rate(output: SoundOutput, heard: Sequence[Heard], control: Control) -> Iterable[Region]:
    """Yield the mean of the stars of all rated classes, weighed by their scores."""
    stars = read_ratings(control)
    scores = mean_scores(heard, output, tuple(stars), several=False)
    rated = {name: scores[name] for name in stars if name in scores}
    total = sum(rated.values())
    if total > 0:
        rating = round(sum(stars[name] * score for name, score in rated.items()) / total)
        most = control.get_number("maxRating", 5, 1, 100)
        yield whole_task(control, int(min(max(rating, 1), most)), score=max(rated.values()))

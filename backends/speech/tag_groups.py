"""Which control tags of a label config are filled together, and with which label."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backends._sound.wording import asks_for_speech
from backends.speech.languages import LANGUAGE_ALIASES
from backends.speech.transcript import Segment
from shared.backend import Claim, Control, LabelConfig, ObjectTag
from shared.backend.label_map import fold_name

Group = tuple[Control, ...]

AUDIO_TAGS = ("Audio", "AudioPlus")
# The class of all that is said, and labels for it.
SPEECH = "speech"
SPEECH_ALIASES = {
    SPEECH: (
        *("Speech", "Segment", "Speech segment", "Utterance", "Sentence", "Phrase", "Voice"),
        *("Voice activity", "Talk", "Talking", "Speaking", "Spoken", "Human voice", "Transcript"),
        *("Sprache", "Parole", "Habla", "Voz", "Fala", "Parlato", "Речь", "语音", "音声", "음성"),
    )
}
_LANGUAGE_LABELS = frozenset(
    fold_name(name) for code, names in LANGUAGE_ALIASES.items() for name in (code, *names)
)


def find_groups(config: LabelConfig, target: ObjectTag) -> Iterator[Group]:
    """Yield the groups of control tags on a recording that are filled together.

    A group is the labels of a segment with its text area, labels of languages, or one text area
    of the whole recording. Text areas that do not ask for speech are left out.
    """
    controls = [control for control, of in config.tag_pairs() if of is target]
    areas = [c for c in controls if c.tag == "TextArea" and asks_for_speech(c, target.tag)]
    of_segments = [area for area in areas if area.per_region]
    for labels in (c for c in controls if c.tag == "Labels" and target.tag in AUDIO_TAGS):
        if of_segments:
            yield (labels, of_segments.pop(0))
        elif _asks_for_languages(labels):
            yield (labels,)
    yield from ((area,) for area in areas if not area.per_region)


def _asks_for_languages(control: Control) -> bool:
    if control.attrs.get("model_backend", "").strip() == "speech":
        return True
    return bool(control.labels) and all(
        fold_name(name) in _LANGUAGE_LABELS
        for label, attrs in control.labels.items()
        for name in (attrs.get("predicted_values") or attrs.get("value") or label).split(",")
    )


def explain_unfilled(config: LabelConfig) -> Iterable[str]:
    """Yield why text areas on recordings are left empty."""
    for control, target in config.tag_pairs():
        if control.tag != "TextArea" or target.tag not in (*AUDIO_TAGS, "Video"):
            continue
        if not asks_for_speech(control, target.tag):
            yield (
                f"{control} is left empty: speech could fill it with what is said, but its words"
                ' do not ask for that; model_backend="speech" on it does'
            )
        elif control.per_region and not any(
            other.tag == "Labels" for other in config.controls_on(target.name)
        ):
            yield (
                f"{control} is left empty: it is for regions, which only Labels on {target} draw"
            )


def segment_values(claim: Claim, segment: Segment, text: str) -> dict[Control, Any] | None:
    """Return the values of a claim's control tags for a segment; None if it has no label.

    A single label is for all that is said. Otherwise it is that of the segment's language, or the
    one for speech.
    """
    labels = claim.control
    names = [name for name in (segment.language, SPEECH) if name]
    aliases = {**LANGUAGE_ALIASES, **SPEECH_ALIASES}
    if len(labels.labels) == 1 and not labels.dynamic:
        label: str | None = next(iter(labels.labels))
    else:
        found = claim.label_map(names, aliases=aliases).to_label
        label = next((found[name] for name in names if name in found), None)
    areas: Sequence[Control] = claim.controls[1:]
    if label is None and not areas:
        claim.labels_for(names, aliases=aliases)
        return None
    written: dict[Control, Any] = {area: [text] for area in areas}
    return written if label is None else {labels: [label], **written}

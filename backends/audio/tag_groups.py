"""Which control tags of a label config are filled together, and from what."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backends._sound.wording import asks_for_speech
from shared.backend import Control, LabelConfig, ObjectTag
from shared.backend.label_map import fold_name
from shared.errors import ConfigError

AUDIO_TAGS = ("Audio", "AudioPlus")
CLASS_TAGS = ("Choices", "Taxonomy")
# Other names of the kinds of sound that voice activity tells apart.
ACTIVITY_ALIASES = {
    "speech": (
        *("Speech", "Segment", "Speech segment", "Utterance", "Voice", "Voice activity", "Talking"),
        *("Human voice", "Speaking", "Sprache", "Parole", "Habla", "Voz", "Речь", "语音", "音声"),
    ),
    "noise": ("Noise", "Background", "Background noise", "Non-speech", "Not speech", "No speech"),
    "silence": ("Silence", "Silent", "Pause", "Quiet"),
}
_ACTIVITY_NAMES = frozenset(
    fold_name(name) for kind, names in ACTIVITY_ALIASES.items() for name in (kind, *names)
)
_SPEAKER = re.compile(
    r"\W*(speaker|spk|person|voice|talker|agent|customer|caller|client|interviewer|interviewee|host"
    r"|guest|doctor|patient|teacher|student|sprecher\w*|locuteur|hablante)\b.*",
    re.IGNORECASE,
)


class Group(NamedTuple):
    """Control tags that are filled together; `kind` is activity, speakers, events or whole."""

    kind: str
    controls: tuple[Control, ...]


def find_groups(config: LabelConfig, target: ObjectTag) -> Iterator[Group]:
    """Yield the groups of control tags on a recording.

    A group is the labels of voice activity with the choices of each region; the labels of
    speakers, or of events; or one tag for the whole recording.
    """
    controls = [control for control, of in config.tag_pairs() if of is target]
    own = [c for c in controls if c.tag in CLASS_TAGS and c.per_region and c.labels]
    for control in controls:
        if control.tag == "Labels" and _may_fill_labels(control, controls):
            kind = _kind_of_labels(control)
            yield Group(kind, (control, *own) if kind == "activity" else (control,))
            own = own if kind != "activity" else []
        elif control.per_region or control.dynamic:
            continue
        elif control.tag in CLASS_TAGS or (control.tag == "Rating" and read_ratings(control)):
            yield Group("whole", (control,))


def _may_fill_labels(labels: Control, controls: Iterable[Control]) -> bool:
    """Return whether labels are not those of transcribed segments, which speech draws."""
    if not labels.labels or labels.dynamic:
        return False
    return labels.attrs.get("model_backend", "").strip() == "audio" or not any(
        c.tag == "TextArea" and c.per_region and asks_for_speech(c, "Audio") for c in controls
    )


def _kind_of_labels(control: Control) -> str:
    names = [
        (attrs.get("predicted_values") or attrs.get("value") or label).split(",")
        for label, attrs in control.labels.items()
    ]
    if any(fold_name(name) in _ACTIVITY_NAMES for of_label in names for name in of_label):
        return "activity"
    if all(_SPEAKER.fullmatch(name) for of_label in names for name in of_label):
        return "speakers"
    return "events"


def explain_unfilled(config: LabelConfig, has_speakers: bool) -> Iterable[str]:
    """Yield why control tags on recordings are left empty."""
    for control, target in config.tag_pairs():
        if target.tag not in AUDIO_TAGS:
            continue
        if control.tag == "Rating" and not control.per_region and not _names_ratings(control):
            yield (
                f"{control} is left empty by audio: no class of a model is a number of stars;"
                ' model_ratings="noisy=1, clear=5" says which is which'
            )
        elif control.tag == "Labels" and control.labels and not has_speakers:
            if _kind_of_labels(control) == "speakers":
                yield (
                    f"{control} is left empty: speakers are told apart by a pyannote pipeline,"
                    " which AUDIO_SPEAKER_MODEL names"
                )
        elif control.tag in (*CLASS_TAGS, "Labels") and control.dynamic:
            yield f"{control} is left empty by audio: it does not read the labels of tasks"


def _names_ratings(control: Control) -> bool:
    """Return whether it says which classes are how many stars, readable or not."""
    return bool(control.attrs.get("model_ratings", "").strip(" ,"))


def read_ratings(control: Control) -> dict[str, float]:
    """Return the stars of each class, by `model_ratings="noisy=1, clear=5"`."""
    found: dict[str, float] = {}
    for pair in control.attrs.get("model_ratings", "").split(","):
        name, equals, stars = pair.rpartition("=")
        if not pair.strip():
            continue
        try:
            number = float(stars)
        except ValueError:
            number = float("nan")
        if not equals or not name.strip() or not 0 <= number <= 100:
            raise ConfigError(
                f'{control}: model_ratings has "{pair.strip()}"; expected a class and its stars,'
                ' such as "noisy=1, clear=5"',
                control.name,
            )
        found[name.strip()] = number
    return found

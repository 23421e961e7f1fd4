"""The audio backend: recordings to choices, ratings and spans of sounds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends._sound.voice_detector import RATE, VoiceDetector, shared_detector
from backends._sound.voice_detector import find_weights as find_detector
from backends._transformers import hub
from backends.audio.activity import ActivitySpan, find_activity
from backends.audio.models.classifier import SoundClassifier, model_reference, sampling_rate
from backends.audio.models.speakers import SpeakerModel
from backends.audio.regions import (
    ActivityOutput,
    draw_activity,
    draw_events,
    draw_speakers,
    fill_whole_recording,
    window_choices,
)
from backends.audio.scores import BACKGROUND
from backends.audio.settings import AudioSettings
from backends.audio.sound import (
    Heard,
    Recording,
    SoundInput,
    SoundOutput,
    Window,
    cut_windows,
)
from backends.audio.tag_groups import (
    AUDIO_TAGS,
    CLASS_TAGS,
    Group,
    explain_unfilled,
    find_groups,
    read_ratings,
)
from shared.backend import (
    Backend,
    BackendSettings,
    Claim,
    Context,
    Control,
    LabelConfig,
    ModelSpec,
    ObjectTag,
    Task,
    spec_options,
)
from shared.backend.choices import class_names
from shared.backend.drawn_regions import read_drawn_regions
from shared.errors import TaskError
from shared.media.audio import AudioFile
from shared.results import AudioSpan, ParsedRegion, Region

ACTIVITY_MODEL = "silero-vad"
# Windows of a whole recording: as long as the networks for sounds were trained on.
WHOLE_SECONDS = 10.0
MIN_DRAWN_SECONDS = 0.05


class AudioBackend(Backend):
    """Fills choices, ratings and labels with what is heard in a recording."""

    name = "audio"
    fills = frozenset(
        (tag, audio) for tag in (*CLASS_TAGS, "Rating", "Labels") for audio in AUDIO_TAGS
    )
    modules = ("av", "onnxruntime", "torch", "transformers")
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = AudioSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Claim what a model can fill; claims with one model get the windows and names of all."""
        claims = [
            Claim(
                group.controls, target, self._group_spec(group), self._group_options(group, target)
            )
            for target in config.objects.values()
            if target.tag in AUDIO_TAGS
            for group in find_groups(config, target)
            if group.kind != "speakers" or self.settings.speaker_model
        ]
        return [
            replace(claim, options={**claim.options, **_asked_together(claim, claims)})
            for claim in claims
        ]

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        return explain_unfilled(config, bool(self.settings.speaker_model))

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    def _group_spec(self, group: Group) -> ModelSpec:
        if group.kind == "speakers":
            options = spec_options(kind="speakers", most=len(group.controls[0].labels))
            return ModelSpec(self.name, self.settings.speaker_model, options)
        if group.kind == "activity" and len(group.controls) == 1:
            return ModelSpec(self.name, ACTIVITY_MODEL, spec_options(kind="activity"))
        return self.spec(group.controls[0])

    def _group_options(self, group: Group, target: ObjectTag) -> Mapping[str, Any]:
        split = target.attrs.get("splitchannels", "").strip().lower() == "true"
        return {
            "kind": group.kind,
            "names": _names_of(group),
            "score_threshold": self.score_threshold(*group.controls),
            "split_channels": split,
        }

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        kind = dict(spec.options).get("kind")
        if kind == "activity":
            return [find_detector()]
        if kind == "speakers":
            return ()
        files = hub.find_files(model_reference(spec.model), self.server_settings)
        return [find_detector(), *files]

    def load(self, spec: ModelSpec) -> Any:
        kind = dict(spec.options).get("kind")
        if kind == "activity":
            return shared_detector()
        if kind == "speakers":
            secret, most = self.settings.speaker_token, dict(spec.options)["most"]
            token = secret.get_secret_value() if secret else None
            return SpeakerModel.load(spec.model, most, token, self.server_settings)
        return SoundClassifier(spec.model, self.server_settings)

    def read(self, task: Task, claim: Claim, context: Context | None) -> SoundInput:
        """Read a recording and the windows of it that are heard."""
        drawn = None
        if context is not None:
            drawn = _last_drawn(context, self.config, claim.object)
            if drawn is None or "kind" in dict(claim.spec.options):
                return SoundInput(Recording.empty(), ())
        file = self.media.read_audio(task.text_value(claim.object), task.id)
        split = claim.options["split_channels"]
        if "kind" in dict(claim.spec.options):
            return SoundInput(Recording.read(file, RATE, split), ())
        rate = sampling_rate(claim.spec.model, self.server_settings)
        recording = Recording.read(file, rate, split)
        windows = (
            _drawn_window(drawn, recording)
            if drawn is not None
            else tuple(self._windows(file, recording, claim))
        )
        names, template = claim.options["all_names"], self.settings.template
        return SoundInput(recording, windows, names, template, drawn)

    def _windows(self, file: AudioFile, recording: Recording, claim: Claim) -> Iterable[Window]:
        """Yield the windows for all claims with this model."""
        kinds, length, seconds = (
            claim.options["kinds"],
            recording.length,
            self.settings.window_seconds,
        )
        channels = range(len(recording.samples))
        if "whole" in kinds:
            yield from cut_windows(length, WHOLE_SECONDS, WHOLE_SECONDS, "whole")
        if "events" in kinds:
            found = cut_windows(length, seconds, seconds / 2, "event")
            yield from (replace(one, channel=channel) for channel in channels for one in found)
        if "activity" in kinds:
            sound = Recording.read(file, RATE, claim.options["split_channels"])
            for channel in channels:
                for span in find_activity(sound, shared_detector(), channel):
                    if span.kind == "speech":
                        yield Window(span.start, min(span.end, length), "segment", channel)

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def read_ahead(self, claim: Claim) -> int:
        return 8

    def item_size(self, item: SoundInput) -> float:
        return sum(window.end - window.start for window in item.windows) or item.recording.length

    def cache_key(self, item: SoundInput) -> Any:
        return item.cache_key()

    def split(self, item: SoundInput) -> Sequence[SoundInput]:
        return item.split_windows()

    def join(self, outputs: Sequence[Any]) -> Any:
        return SoundOutput.join(outputs) if isinstance(outputs[0], SoundOutput) else outputs[0]

    def infer(self, model: Any, items: list[SoundInput]) -> Sequence[Any]:
        if isinstance(model, VoiceDetector):
            return [_hear_activity(model, item.recording) for item in items]
        if isinstance(model, SpeakerModel):
            return [_hear_speakers(model, item.recording) for item in items]
        found: list[SoundOutput] = []
        for item in items:
            sounds = [item.recording.window(window) for window in item.windows]
            sentences = {name: item.template.replace("{}", name) for name in item.names}
            logits = model.classify(sounds, sentences) if sounds else []
            heard = [Heard(*pair) for pair in zip(item.windows, logits, strict=True)]
            length = item.recording.length
            found.append(
                SoundOutput(tuple(heard), length, model.exclusive, model.named, item.drawn)
            )
        return found

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        kind = claim.options["kind"]
        if isinstance(output, ActivityOutput):
            draw = draw_speakers if kind == "speakers" else draw_activity
            yield from draw(output, claim)
        elif output.drawn is not None:
            yield from _fill_drawn_region(output, claim)
        elif kind == "whole":
            yield from fill_whole_recording(output, claim)
        elif kind == "events":
            yield from draw_events(output, claim)
        else:
            yield from draw_activity(_segments_of(output), claim, output)


def _names_of(group: Group) -> tuple[str, ...]:
    """Return what CLAP is asked for: the labels, choices or rated classes."""
    asked = group.controls[1:] if group.kind == "activity" else group.controls
    names = [
        name
        for control in asked
        for name in (read_ratings(control) if control.tag == "Rating" else class_names(control))
    ]
    return tuple(dict.fromkeys(names))


def _asked_together(claim: Claim, claims: Iterable[Claim]) -> dict[str, Any]:
    """Return the kinds and names of all claims that get one item: with this model and object."""
    same = [one for one in claims if one.spec == claim.spec and one.object is claim.object]
    names = [name for one in same for name in one.options["names"]]
    return {
        "kinds": frozenset(one.options["kind"] for one in same),
        "all_names": tuple(dict.fromkeys((*names, *BACKGROUND))),
    }


def _hear_activity(detector: VoiceDetector, recording: Recording) -> ActivityOutput:
    spans = [
        span
        for channel in range(len(recording.samples))
        for span in find_activity(recording, detector, channel)
    ]
    return ActivityOutput(tuple(spans), recording.length)


def _hear_speakers(model: SpeakerModel, recording: Recording) -> ActivityOutput:
    spans = model.find_speakers(recording) if recording.length else []
    return ActivityOutput(tuple(spans), recording.length)


def _segments_of(output: SoundOutput) -> ActivityOutput:
    spans = tuple(
        ActivitySpan("speech", one.window.start, one.window.end, 1.0, one.window.channel)
        for one in output.heard
        if one.window.purpose == "segment"
    )
    return ActivityOutput(spans, output.length)


def _fill_drawn_region(output: SoundOutput, claim: Claim) -> Iterable[Region]:
    """Yield the drawn region unchanged, with the choices of what is heard in it."""
    drawn = output.drawn
    chosen = window_choices(output, output.heard[:1], claim) if claim.controls[1:] else {}
    if drawn is None or not chosen:
        return
    names = {control.name for control in chosen}
    others = {control: v for control, v in drawn.values.items() if control.name not in names}
    score = min(choice.score for choice in chosen.values())
    values = {**others, **{control: choice.answer for control, choice in chosen.items()}}
    yield replace(drawn, values=values, score=score).to_region()


def _last_drawn(context: Context, config: LabelConfig, target: ObjectTag) -> ParsedRegion | None:
    """Return the region that the user drew last on a recording; None if there is none."""
    drawn = read_drawn_regions(context, config, target)
    return next((region for region in drawn if isinstance(region.shape, AudioSpan)), None)


def _drawn_window(drawn: ParsedRegion, recording: Recording) -> tuple[Window, ...]:
    shape = drawn.shape
    assert isinstance(shape, AudioSpan)
    end = min(shape.end, recording.length)
    if end - max(shape.start, 0.0) < MIN_DRAWN_SECONDS:
        raise TaskError(f'The drawn region "{drawn.id}" is too short to hear something in it')
    return (Window(max(shape.start, 0.0), end, "segment", shape.channel),)

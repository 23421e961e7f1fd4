"""The speech backend: recordings to their transcript, whole or by segments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from backends._sound.voice_detector import find_weights as find_detector
from backends._sound.voice_detector import shared_detector
from backends.speech.engines import faster_whisper, openai_server, pocketsphinx, transformers_asr
from backends.speech.engines.base import SpeechEngine
from backends.speech.inputs import (
    SpeechInput,
    SpeechOutput,
    last_drawn_region,
    read_drawn,
    read_speech,
)
from backends.speech.settings import STARTER, SpeechSettings
from backends.speech.tag_groups import explain_unfilled, find_groups, segment_values
from backends.speech.transcript import Segment, SpeechOptions, join_text
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
from shared.errors import ConfigError
from shared.results import AudioSpan, Region, region, whole_task
from shared.settings import read_settings

OBJECT_TAGS = ("Audio", "AudioPlus", "Video")
ENGINES: Mapping[str, type[SpeechEngine]] = {
    "faster-whisper": faster_whisper.FasterWhisperEngine,
    "transformers": transformers_asr.TransformersEngine,
    "openai": openai_server.OpenAiEngine,
    "pocketsphinx": pocketsphinx.PocketSphinxEngine,
}
DEFAULT_MODELS = {
    "faster-whisper": faster_whisper.DEFAULT_MODEL,
    "transformers": transformers_asr.DEFAULT_MODEL,
    "openai": openai_server.DEFAULT_MODEL,
    "pocketsphinx": "",
}
TASKS = ("transcribe", "translate")
GRANULARITIES = ("segment", "word")


class SpeechBackend(Backend):
    """Fills text areas with what is said in a recording, and labels the segments of it."""

    name = "speech"
    fills = frozenset(
        {*(("TextArea", tag) for tag in OBJECT_TAGS), ("Labels", "Audio"), ("Labels", "AudioPlus")}
    )
    modules = ("av", "onnxruntime")
    preload_modules = ("faster_whisper",)
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = SpeechSettings
    example_settings: ClassVar[Mapping[str, str]] = {
        "SPEECH_ENGINE": "pocketsphinx",
        "SPEECH_MODEL": "starter",
    }

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Claim segments with their text, languages, and text areas of whole recordings."""
        return [
            Claim(group, target, self.spec(group[0]), self._group_options(group, target))
            for target in config.objects.values()
            if target.tag in OBJECT_TAGS
            for group in find_groups(config, target)
        ]

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        return explain_unfilled(config)

    def spec(self, control: Control) -> ModelSpec:
        settings, engine = self.settings, self.settings.engine
        if settings.model == STARTER and engine != "pocketsphinx":
            raise ConfigError(
                f"SPEECH_MODEL=starter is a model of pocketsphinx, not of {engine}: set"
                " SPEECH_ENGINE=pocketsphinx, or name another model",
                control.name,
            )
        model = settings.model or DEFAULT_MODELS[engine] or engine
        address = settings.base_url if engine == "openai" else None
        numbers = settings.compute_type if engine == "faster-whisper" else None
        beams = settings.beam_size if engine == "faster-whisper" else None
        options = spec_options(engine=engine, address=address, numbers=numbers, beams=beams)
        return ModelSpec(self.name, model, options)

    def _group_options(self, group: Sequence[Control], target: ObjectTag) -> Mapping[str, Any]:
        settings = self.settings
        words = _read_attribute(group, "model_granularity", "segment", GRANULARITIES) == "word"
        task = _read_attribute(group, "model_task", "transcribe", TASKS)
        language = _read_attribute(group, "model_language", settings.language)
        hot_words = _read_attribute(group, "model_hot_words", settings.hot_words)
        speech = SpeechOptions(language.lower() or None, task, hot_words, words)
        split = target.attrs.get("splitchannels", "").strip().lower() == "true"
        return {
            "score_threshold": self.score_threshold(*group),
            "speech": speech,
            "split_channels": split,
        }

    @classmethod
    def needed_modules(cls) -> Iterable[str]:
        """Return what the engine that is set needs."""
        if read_settings(SpeechSettings).engine == "faster-whisper":
            return (*cls.modules, *cls.preload_modules)
        return ("av",)

    def default_specs(self) -> Iterable[ModelSpec]:
        return (self.spec(Control("TextArea", "", "")),)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        engine, model = dict(spec.options)["engine"], self.settings.model
        if engine == "faster-whisper":
            files = faster_whisper.find_weights(model, self.server_settings)
        elif engine == "transformers":
            files = transformers_asr.find_weights(model, self.server_settings)
        elif engine == "pocketsphinx":
            files = pocketsphinx.find_weights(model, self.server_settings)
        else:
            files = ()
        return [find_detector(), *files]

    def load(self, spec: ModelSpec) -> SpeechEngine:
        engine, model, settings = dict(spec.options)["engine"], self.settings.model, self.settings
        if engine == "openai":
            return openai_server.OpenAiEngine(settings, self.server_settings)
        if engine == "transformers":
            return transformers_asr.TransformersEngine(model, self.server_settings)
        if engine == "pocketsphinx":
            return pocketsphinx.PocketSphinxEngine(model, self.server_settings)
        return faster_whisper.FasterWhisperEngine(
            model, self.server_settings, settings.compute_type, settings.beam_size
        )

    def read(self, task: Task, claim: Claim, context: Context | None) -> SpeechInput:
        """Read the parts with speech; if the user has drawn a region, that part alone."""
        options: SpeechOptions = claim.options["speech"]
        split, limits = claim.options["split_channels"], self._limits(claim)
        drawn = None
        if context is not None:
            drawn = last_drawn_region(context, self.config, claim.object)
            if drawn is None:
                return SpeechInput((), 0.0, options, "")
        file = self.media.read_audio(task.text_value(claim.object), task.id)
        if drawn is not None:
            parts, length = read_drawn(file, drawn, split, limits)
        else:
            parts, length = read_speech(file, split, shared_detector(), limits)
        # To the microsecond, as results have it: no region ends behind the recording.
        identity = f"{file.digest} by channel" if split else file.digest
        return SpeechInput(parts, round(length, 6), options, identity, drawn)

    def _limits(self, claim: Claim) -> Any:
        return ENGINES[dict(claim.spec.options)["engine"]].limits

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 16

    def concurrent_calls(self, spec: ModelSpec) -> int:
        remote = dict(spec.options)["engine"] == "openai"
        return int(self.settings.concurrency) if remote else 0

    def read_ahead(self, claim: Claim) -> int:
        return 8

    def item_size(self, item: SpeechInput) -> float:
        # Whisper fills every part up to 30 seconds, so that all take as long.
        if self.settings.engine == "faster-whisper":
            return 1.0
        return sum(part.seconds for part in item.parts)

    def cache_key(self, item: SpeechInput) -> Any:
        return item.cache_key()

    def split(self, item: SpeechInput) -> Sequence[SpeechInput]:
        return item.split_parts()

    def join(self, outputs: Sequence[SpeechOutput]) -> SpeechOutput:
        return SpeechOutput.join(outputs)

    def infer(self, model: SpeechEngine, items: list[SpeechInput]) -> Sequence[SpeechOutput]:
        parts = [item.speech_parts() for item in items]
        flat = [part for of_item in parts for part in of_item]
        heard = iter(model.transcribe(flat) if flat else ())
        return [
            item.with_segments([next(heard) for _ in of_item])
            for item, of_item in zip(items, parts, strict=True)
        ]

    def regions(self, output: SpeechOutput, claim: Claim) -> Iterable[Region]:
        if output.drawn is not None:
            yield from _fill_drawn_region(output, claim)
            return
        least = claim.options["score_threshold"]
        sure = [one for one in output.segments if one.score is None or one.score >= least]
        if claim.control.tag == "TextArea":
            yield from _fill_whole_recording(sure, claim)
        elif claim.options["speech"].words:
            yield from _draw_segments(_words_of(sure), output, claim)
        else:
            yield from _draw_segments(sure, output, claim)


def _read_attribute(
    controls: Sequence[Control], key: str, default: str, allowed: Sequence[str] = ()
) -> str:
    """Return an attribute of the first control tag that has it; ConfigError if not `allowed`."""
    for control in controls:
        value = control.attrs.get(key, "").strip()
        if value and allowed and value not in allowed:
            raise ConfigError(
                f'{control}: {key}="{value}" should be one of {", ".join(allowed)}', control.name
            )
        if value:
            return value
    return default


def _fill_drawn_region(output: SpeechOutput, claim: Claim) -> Iterable[Region]:
    """Yield the drawn region unchanged, with its text; its score threshold is the user's wish."""
    areas = [control for control in claim.controls if control.tag == "TextArea"]
    drawn = output.drawn
    if drawn is None or not output.segments or not areas or not areas[0].per_region:
        return
    area = areas[0]
    others = {control: v for control, v in drawn.values.items() if control.name != area.name}
    text = join_text(output.segments)
    values = {**others, area: [text]}
    yield replace(drawn, values=values, score=_mean_score(output.segments)).to_region()


def _fill_whole_recording(segments: Sequence[Segment], claim: Claim) -> Iterable[Region]:
    text = join_text(segments)
    if text:
        yield whole_task(claim.control, [text], score=_mean_score(segments))


def _draw_segments(
    segments: Iterable[Segment], output: SpeechOutput, claim: Claim
) -> Iterable[Region]:
    for segment in segments:
        values = segment_values(claim, segment, segment.text)
        if values is not None and segment.end > segment.start:
            span = AudioSpan(segment.start, segment.end, segment.channel)
            yield region(span, values, source=output.length, score=segment.score)


def _words_of(segments: Iterable[Segment]) -> Iterable[Segment]:
    """Yield each word as a segment; a segment whose words are unknown as it is."""
    for segment in segments:
        if not segment.words:
            yield segment
        for word in segment.words:
            yield replace(
                segment, start=word.start, end=word.end, text=word.text, score=word.score, words=()
            )


def _mean_score(segments: Sequence[Segment]) -> float | None:
    scores = [segment.score for segment in segments if segment.score is not None]
    return fmean(scores) if scores else None

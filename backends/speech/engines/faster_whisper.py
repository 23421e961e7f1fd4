"""Whisper by faster-whisper (CTranslate2): the parts of many recordings in one batch."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.device import check_gpu
from backends._sound.speech_spans import PartLimits
from backends._transformers import hub
from backends.speech.engines.base import SpeechEngine
from backends.speech.transcript import Segment, SpeechOptions, SpeechPart, Word
from shared.backend.extras import require
from shared.errors import InferenceError
from shared.settings import Settings

DEFAULT_MODEL = "small"
# CTranslate2 keeps a network in model.bin, which holds numbers only, and its words beside it.
FILE_PATTERNS = ("model.bin", "*.json", "vocabulary.txt")
# Whose conversions the sizes are, on the hub: as in faster-whisper's own list.
TURBO = "mobiuslabsgmbh/faster-whisper-large-v3-turbo"
SIZES = frozenset(
    (
        *("tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3"),
        *("tiny.en", "base.en", "small.en", "medium.en"),
    )
)
DISTILLED = frozenset(("distil-small.en", "distil-medium.en", "distil-large-v2", "distil-large-v3"))
# As Whisper's own transcription: what is more likely silence than speech, and unlikely, is none.
NO_SPEECH_PROBABILITY = 0.6
MIN_LOG_PROBABILITY = -1.0


def model_reference(model: str) -> hub.ModelReference:
    """Return where a model is found: a folder, a name on the hub, or one of Whisper's sizes."""
    name = model or DEFAULT_MODEL
    if name in {"turbo", "large-v3-turbo"}:
        name = TURBO
    elif name in DISTILLED:
        name = f"Systran/faster-distil-whisper-{name.removeprefix('distil-')}"
    elif name in SIZES or name == "large":
        name = f"Systran/faster-whisper-{'large-v3' if name == 'large' else name}"
    return hub.ModelReference(name, "SPEECH_MODEL", Path(name), FILE_PATTERNS)


def find_weights(model: str, settings: Settings) -> Iterable[Path]:
    """Return a model's files."""
    folder = hub.find_folder(model_reference(model), settings)
    return hub.list_files(folder, FILE_PATTERNS)


class FasterWhisperEngine(SpeechEngine):
    """A Whisper of CTranslate2."""

    # Whisper fills each part up to 30 s: one of a few words costs as much as a full one.
    limits = PartLimits(seconds=30.0, pause=2.0, shortened=25.0)

    def __init__(self, model: str, settings: Settings, compute_type: str, beam_size: int) -> None:
        library = require("faster_whisper", "speech")
        folder = hub.find_folder(model_reference(model), settings)
        self._library, self._beam_size = library, beam_size
        device, _, index = _choose_device(settings).partition(":")
        self._model = library.WhisperModel(
            str(folder), device=device, device_index=int(index or 0), compute_type=compute_type
        )
        self._batched = library.BatchedInferencePipeline(self._model)

    def transcribe(self, parts: Sequence[SpeechPart]) -> list[list[Segment]]:
        found: list[list[Segment]] = [[] for _ in parts]
        places = sorted(range(len(parts)), key=lambda place: str(parts[place].options))
        for options, group in groupby(places, key=lambda place: parts[place].options):
            same = list(group)
            heard = self._transcribe_alike([parts[place] for place in same], options)
            for place, segments in zip(same, heard, strict=True):
                found[place] = segments
        return found

    def _transcribe_alike(
        self, parts: Sequence[SpeechPart], options: SpeechOptions
    ) -> list[list[Segment]]:
        """Transcribe parts that have the same options, as one batch."""
        transcribe = self._library.transcribe
        language = self._language(options)
        tokenizer = self._library.tokenizer.Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task=options.task,
            language=language or "en",
        )
        extract = self._model.feature_extractor
        features = np.stack(
            [transcribe.pad_or_trim(extract(part.samples)[..., :-1]) for part in parts]
        )
        metadata = [{"offset": 0.0, "duration": len(part.samples) / 16_000} for part in parts]
        self._batched.last_speech_timestamp = 0.0
        chosen = self._decoding(options, tokenizer, multilingual=language is None)
        languages = [language] * len(parts) if language else self._find_languages(features)
        heard = self._batched.forward(features, tokenizer, metadata, chosen)
        return [
            [_to_segment(one, found) for one in segments if _is_speech(one)]
            for segments, found in zip(heard, languages, strict=True)
        ]

    def _language(self, options: SpeechOptions) -> str | None:
        """Return the language's code; None where the model is to find it."""
        if not self._model.model.is_multilingual:
            return "en"
        known = self._model.supported_languages
        if options.language and options.language not in known:
            raise InferenceError(
                f'The model does not know the language "{options.language}"; it knows'
                f" {', '.join(known)}"
            )
        return options.language

    def _find_languages(self, features: Any) -> list[str]:
        found = self._model.model.detect_language(self._model.encode(features))
        return [ranked[0][0].strip("<|>") for ranked in found]

    def _decoding(self, options: SpeechOptions, tokenizer: Any, multilingual: bool) -> Any:
        """Return faster-whisper's options: those of its own batched transcription."""
        transcribe = self._library.transcribe
        return transcribe.TranscriptionOptions(
            beam_size=self._beam_size,
            best_of=5,
            patience=1,
            length_penalty=1,
            repetition_penalty=1,
            no_repeat_ngram_size=0,
            log_prob_threshold=MIN_LOG_PROBABILITY,
            no_speech_threshold=NO_SPEECH_PROBABILITY,
            compression_ratio_threshold=2.4,
            temperatures=[0.0],
            initial_prompt=None,
            prefix=None,
            suppress_blank=True,
            suppress_tokens=transcribe.get_suppressed_tokens(tokenizer, [-1]),
            prepend_punctuations="\"'“¿([{-",
            append_punctuations="\"'.。,，!！?？:：”)]}、",
            max_new_tokens=None,
            hotwords=options.hot_words or None,
            word_timestamps=options.words,
            hallucination_silence_threshold=None,
            condition_on_previous_text=False,
            clip_timestamps=[],
            prompt_reset_on_temperature=0.5,
            multilingual=multilingual,
            without_timestamps=False,
            max_initial_timestamp=0.0,
        )


def _choose_device(settings: Settings) -> str:
    """Return DEVICE, or a GPU if CTranslate2 sees one."""
    if settings.device == "cpu":
        return "cpu"
    found = require("ctranslate2", "speech").get_cuda_device_count()
    check_gpu(settings.device, found, "CTranslate2")
    if settings.device != "auto":
        return settings.device
    return "cuda" if found else "cpu"


def _is_speech(segment: dict[str, Any]) -> bool:
    return bool(segment["text"].strip()) and (
        segment["no_speech_prob"] <= NO_SPEECH_PROBABILITY
        or segment["avg_logprob"] >= MIN_LOG_PROBABILITY
    )


def _to_segment(segment: dict[str, Any], language: str) -> Segment:
    words = tuple(
        Word(word["start"], word["end"], word["word"].strip(), word["probability"])
        for word in segment.get("words") or ()
    )
    start, end = segment["start"], segment["end"]
    score = math.exp(segment["avg_logprob"])
    return Segment(start, end, segment["text"].strip(), min(score, 1.0), language, words)

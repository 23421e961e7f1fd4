"""Any transformers model of automatic-speech-recognition: Whisper, Moonshine, wav2vec 2 …"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from backends._inference.device import choose_torch_device
from backends._sound.speech_spans import PartLimits
from backends._transformers import hub
from backends.speech.engines.base import SpeechEngine
from backends.speech.transcript import Segment, SpeechOptions, SpeechPart, Word
from shared.backend.extras import require
from shared.settings import Settings

DEFAULT_MODEL = "openai/whisper-small"
RATE = 16_000


def model_reference(model: str) -> hub.ModelReference:
    """Return where a model is found."""
    name = model or DEFAULT_MODEL
    return hub.ModelReference(name, "SPEECH_MODEL", Path(name))


def find_weights(model: str, settings: Settings) -> Iterable[Path]:
    """Return a model's files."""
    return hub.find_files(model_reference(model), settings)


class TransformersEngine(SpeechEngine):
    """A pipeline of transformers. It tells no probability."""

    # Only Whisper tells sentences apart: of others a part is a segment, so that it ends at a pause.
    limits = PartLimits(seconds=20.0, pause=0.5)

    def __init__(self, model: str, settings: Settings) -> None:
        require("torch", "speech-transformers")
        transformers = require("transformers", "speech-transformers")
        folder = hub.find_folder(model_reference(model), settings)
        self._pipeline = transformers.pipeline(
            "automatic-speech-recognition",
            model=str(folder),
            device=choose_torch_device(settings),
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        tokenizer = self._pipeline.tokenizer
        if tokenizer is not None and tokenizer.pad_token_id is None:  # or it takes no batches
            tokenizer.pad_token = tokenizer.eos_token

    def transcribe(self, parts: Sequence[SpeechPart]) -> list[list[Segment]]:
        found: list[list[Segment]] = [[] for _ in parts]
        places = sorted(range(len(parts)), key=lambda place: str(parts[place].options))
        for options, group in groupby(places, key=lambda place: parts[place].options):
            same = list(group)
            given = [{"raw": parts[place].samples, "sampling_rate": RATE} for place in same]
            heard = self._pipeline(given, batch_size=len(same), **self._arguments(options))
            for place, answer in zip(same, heard, strict=True):
                found[place] = self._segments(answer, parts[place])
        return found

    def _arguments(self, options: SpeechOptions) -> Mapping[str, Any]:
        kind = self._pipeline.type
        if kind == "seq2seq_whisper":
            made: dict[str, Any] = {"task": options.task, "language": options.language}
            if not getattr(self._pipeline.model.generation_config, "is_multilingual", True):
                made = {}
            stamps = "word" if options.words else True
            return {"return_timestamps": stamps, "generate_kwargs": made}
        return {"return_timestamps": "word"} if kind in {"ctc", "ctc_with_lm"} else {}

    def _segments(self, answer: Mapping[str, Any], part: SpeechPart) -> list[Segment]:
        """Return Whisper's own sentences; of other models, and with words, the part as one."""
        length, language = len(part.samples) / RATE, part.options.language
        chunks = answer.get("chunks") or ()
        times = [_times(chunk, length) for chunk in chunks]
        if self._pipeline.type == "seq2seq_whisper" and not part.options.words:
            return [
                Segment(*time, chunk["text"].strip(), language=language)
                for time, chunk in zip(times, chunks, strict=True)
                if chunk["text"].strip()
            ]
        if not answer["text"].strip():
            return []
        words = tuple(
            Word(*time, chunk["text"].strip()) for time, chunk in zip(times, chunks, strict=True)
        )
        return [Segment(0.0, length, answer["text"].strip(), None, language, words)]


def _times(chunk: Mapping[str, Any], length: float) -> tuple[float, float]:
    """Return a chunk's seconds; Whisper leaves out the end of the last one."""
    start, end = chunk["timestamp"]
    return float(start or 0.0), length if end is None else float(end)

"""Tells speakers apart by a pipeline of pyannote.audio, which is not installed with prelabel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.audio.activity import ActivitySpan
from backends.audio.sound import Recording, Window
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError
from shared.settings import Settings


class SpeakerModel:
    """A loaded pipeline: called with a waveform, it returns who speaks when."""

    def __init__(self, pipeline: Any, most: int) -> None:
        self._pipeline, self._most = pipeline, most

    @classmethod
    def load(cls, model: str, most: int, token: str | None, settings: Settings) -> "SpeakerModel":
        """Load a pipeline by name or folder, for so many speakers; ModelError if it cannot be."""
        library = require("pyannote.audio", "audio")
        folder = find_model(model, settings)
        name = str(folder if folder.exists() else Path(model).expanduser())
        pipeline = library.Pipeline.from_pretrained(name, token=token)
        if pipeline is None:
            raise ModelError(
                f"AUDIO_SPEAKER_MODEL={model} could not be loaded: accept its conditions on the hub"
                " and set AUDIO_SPEAKER_TOKEN"
            )
        return cls(pipeline, most)

    def find_speakers(self, recording: Recording) -> list[ActivitySpan]:
        """Return the spans of each speaker of a recording at 16 kHz, named by pyannote."""
        import torch

        waveform = torch.from_numpy(recording.window(Window(0.0, recording.length, "whole")))[None]
        given = {"waveform": waveform, "sample_rate": recording.rate}
        found = self._pipeline(given, max_speakers=self._most)
        found = getattr(found, "speaker_diarization", found)  # since pyannote.audio 4
        return [
            ActivitySpan(str(speaker), float(turn.start), float(turn.end), 1.0)
            for turn, _, speaker in found.itertracks(yield_label=True)
        ]


def name_by_order(spans: Sequence[ActivitySpan], labels: Sequence[str]) -> dict[str, str]:
    """Return a label for each speaker: the first for who speaks first, and so on."""
    speakers = dict.fromkeys(span.kind for span in sorted(spans, key=lambda span: span.start))
    return dict(zip(speakers, labels, strict=False))

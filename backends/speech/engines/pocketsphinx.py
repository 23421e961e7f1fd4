"""PocketSphinx: a small recognizer of English whose weights are in its package.

For the demo and the tests: it understands the sentences of a grammar well, free speech badly.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends._sound.speech_spans import PartLimits
from backends.speech.engines.base import SpeechEngine
from backends.speech.settings import STARTER
from backends.speech.transcript import Segment, SpeechPart, Word
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path
from shared.settings import Settings

STARTER_GRAMMAR = Path(__file__).parents[1] / "starter" / "sentences.gram"
FRAMES_PER_SECOND = 100
# Silence around a part, without which the first and the last word are cut.
MARGIN_SECONDS = 0.2
RATE = 16_000


def find_weights(model: str, settings: Settings) -> Iterable[Path]:
    """Return the grammar (JSGF), if one is named: the acoustic model is part of the package."""
    if not model:
        return ()
    if model == STARTER:
        return (STARTER_GRAMMAR,)
    for path in (find_model(model, settings), Path(model).expanduser()):
        if path.is_file():
            return (path,)
    raise ModelError(f"SPEECH_MODEL={short_path(model)}: there is no such grammar (JSGF) file")


class PocketSphinxEngine(SpeechEngine):
    """US English; with a grammar, its sentences alone."""

    limits = PartLimits(seconds=20.0, pause=0.5)

    def __init__(self, model: str, settings: Settings) -> None:
        library = require("pocketsphinx", "speech")
        grammar = next(iter(find_weights(model, settings)), None)
        # Either a grammar or the package's language model.
        source = {} if grammar is None else {"jsgf": str(grammar), "lm": None}
        self._decoder = library.Decoder(samprate=RATE, loglevel="FATAL", **source)

    def transcribe(self, parts: Sequence[SpeechPart]) -> list[list[Segment]]:
        return [self._transcribe_part(part) for part in parts]

    def _transcribe_part(self, part: SpeechPart) -> list[Segment]:
        margin = np.zeros(round(MARGIN_SECONDS * RATE), np.int16)
        samples = (part.samples * 32767).astype(np.int16)
        self._decoder.start_utt()
        sound = np.concatenate([margin, samples, margin]).tobytes()
        self._decoder.process_raw(sound, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        if found is None or not found.hypstr.strip():
            return []
        length = len(part.samples) / RATE
        words = tuple(self._words(length))
        return [Segment(0.0, length, found.hypstr.strip(), None, "en", words)]

    def _words(self, length: float) -> Iterable[Word]:
        for found in self._decoder.seg():
            word = _plain_word(found.word)
            start, end = (
                min(max(frame / FRAMES_PER_SECOND - MARGIN_SECONDS, 0.0), length)
                for frame in (found.start_frame, found.end_frame + 1)
            )
            if word and end > start:
                yield Word(start, end, word)


def _plain_word(word: Any) -> str:
    """Return a word without the number of its pronunciation; nothing for silence and noise."""
    plain = str(word)
    return "" if plain[:1] in {"<", "[", "+"} else plain.partition("(")[0]

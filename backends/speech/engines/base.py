"""The contract of a speech engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from backends._sound.speech_spans import PartLimits
from backends.speech.transcript import Segment, SpeechPart


class SpeechEngine(ABC):
    """Transcribes parts of recordings."""

    limits: ClassVar[PartLimits]
    """How recordings are cut for it."""

    @abstractmethod
    def transcribe(self, parts: Sequence[SpeechPart]) -> list[list[Segment]]:
        """Return the segments of each part, in order; their times count from its start."""

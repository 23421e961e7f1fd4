"""Speech to text: transcripts of recordings, whole or by segments."""

from backends.speech.backend import SpeechBackend

__all__ = ["SpeechBackend"]

"""Sounds to choices, ratings and labelled spans."""

from backends.audio.backend import AudioBackend

__all__ = ["AudioBackend"]

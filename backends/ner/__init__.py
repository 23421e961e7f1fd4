"""Entities in texts."""

from backends.ner.backend import NerBackend

__all__ = ["NerBackend"]

"""Entities that regular expressions find."""

from backends.pattern.backend import PatternBackend

__all__ = ["PatternBackend"]

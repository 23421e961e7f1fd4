"""Regular expressions to text spans."""

from backends.pattern.backend import PatternBackend

__all__ = ["PatternBackend"]

"""Objects on images."""

from backends.detection.backend import DetectionBackend

__all__ = ["DetectionBackend"]

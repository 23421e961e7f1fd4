"""Boxes, shapes, tracks and classes on images and videos, by Ultralytics networks."""

from backends.detection.backend import DetectionBackend

__all__ = ["DetectionBackend"]

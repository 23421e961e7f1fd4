"""Segment Anything: clicks, boxes and strokes on images become masks."""

from backends.segment.backend import SegmentBackend

__all__ = ["SegmentBackend"]

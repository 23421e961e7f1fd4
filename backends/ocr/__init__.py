"""Text on images: boxes, labels and transcriptions."""

from backends.ocr.backend import OcrBackend

__all__ = ["OcrBackend"]

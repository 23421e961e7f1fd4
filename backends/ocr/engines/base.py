"""The contract of an OCR engine."""

from abc import ABC, abstractmethod

from backends.ocr.layout.page import Page
from shared.media.image import Image


class OcrEngine(ABC):
    """Reads images. Two engines differ exactly where their ModelSpecs do."""

    @abstractmethod
    def read(self, image: Image) -> Page:
        """Return the lines of an upright image. Called in several threads at once."""

"""The contract of an OCR engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from backends._inference.device import available_cores
from backends.ocr.layout.page import Page
from shared.media.image import Image


class OcrEngine(ABC):
    """Reads images. Two engines differ exactly where their ModelSpecs do."""

    @abstractmethod
    def read(self, image: Image) -> Page:
        """Return the lines of an upright image. Called in several threads at once."""

    def read_pages(self, images: Sequence[Image]) -> list[Page]:
        """Return a page for each image, reading as many at once as there are cores."""
        if len(images) == 1:
            return [self.read(images[0])]
        return list(self._page_threads.map(self.read, images))

    @cached_property
    def _page_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(available_cores(), thread_name_prefix="page")

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

    def describe_engine(self) -> str:
        """Return what its networks run on, and in which precision; empty if that is not told."""
        return ""

    def read_pages(self, images: Sequence[Image]) -> list[Page]:
        """Return a page for each image, reading one more at once than there are cores.

        That one is for what is between the networks.
        """
        if len(images) == 1:
            return [self.read(images[0])]
        return list(self._page_threads.map(self.read, images))

    @cached_property
    def _page_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(available_cores() + 1, thread_name_prefix="page")

"""RapidOCR's engine, loaded once: each time its networks are compiled, which takes seconds."""

from collections.abc import Callable
from functools import cache

import pytest

from backends.ocr.engines import rapidocr
from backends.ocr.engines.base import OcrEngine

LoadRapid = Callable[..., OcrEngine]


@pytest.fixture(scope="session")
def load_rapid() -> LoadRapid:
    """Return a function that loads the engine, once for the same options."""
    return cache(rapidocr.RapidOcrEngine)


@pytest.fixture
def keep_rapid(load_rapid: LoadRapid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the backend load the engine of the tests before."""
    monkeypatch.setattr(rapidocr, "RapidOcrEngine", load_rapid)

"""RapidOCR's engine, loaded once: each time its networks are compiled, which takes seconds."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from backends.ocr.engines import rapidocr
from backends.ocr.engines.base import OcrEngine

LoadRapid = Callable[..., OcrEngine]


@pytest.fixture(scope="session")
def load_rapid() -> LoadRapid:
    """Return a function that loads the engine, once for the same options, wherever it caches."""
    load = cache(rapidocr.RapidOcrEngine)

    def load_once(
        engine: str, language: str, weights: Sequence[Path], cache_dir: Path | None = None
    ) -> OcrEngine:
        return load(engine, language, tuple(weights))

    return load_once


@pytest.fixture
def keep_rapid(load_rapid: LoadRapid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the backend load the engine of the tests before."""
    monkeypatch.setattr(rapidocr, "RapidOcrEngine", load_rapid)

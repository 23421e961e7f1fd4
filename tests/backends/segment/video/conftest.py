"""Each test has models and embeddings of its own."""

from pathlib import Path

import pytest

from shared.pipeline.runtime import reset_runtime


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGMENT_MODEL", "colours")
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    reset_runtime()

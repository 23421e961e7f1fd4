"""Each test starts without our environment variables, with a fresh runtime and a cache of ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.backend.registry import find_backends
from shared.pipeline import runtime
from shared.settings import Settings, setting_rows

from .documents.add_a_backend import follow_guide

OTHER_NAMES = ("LABEL_STUDIO_HOST", "LABEL_STUDIO_ACCESS_TOKEN")


# Other tests keep the processor busy: a training that gave way would take for ever.
WITHOUT_GIVING_WAY = ("TRAIN_NICENESS", "0")


def pytest_configure() -> None:
    """Let the servers of a whole module or session have it, too."""
    os.environ.setdefault(*WITHOUT_GIVING_WAY)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where networks are kept during the tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which docs/add-a-backend.md was followed."""
    folder = tmp_path_factory.mktemp("guide")
    follow_guide(folder)
    return folder


@pytest.fixture(autouse=True)
def _clean_runtime(monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> Iterator[None]:
    classes = [Settings, *(backend.settings_class for backend in find_backends().values())]
    names = [name for settings in classes for name, _, _ in setting_rows(settings)]
    for name in (*names, *OTHER_NAMES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHE_DIR", str(cache_dir))
    monkeypatch.setenv("TRAIN_DIR", str(cache_dir / "training"))
    monkeypatch.setenv(*WITHOUT_GIVING_WAY)
    runtime.reset_runtime()
    yield
    runtime.reset_runtime()

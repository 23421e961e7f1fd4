"""Each test starts without our environment variables and with a fresh runtime."""

from collections.abc import Iterator

import pytest

from shared import runtime
from shared.routing import find_backends
from shared.settings import Settings, variables

OTHER_NAMES = ("LABEL_STUDIO_HOST", "LABEL_STUDIO_ACCESS_TOKEN")


@pytest.fixture(autouse=True)
def _clean_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    classes = [Settings, *(backend.settings_class for backend in find_backends().values())]
    names = [name for settings in classes for name, _, _ in variables(settings)]
    for name in (*names, *OTHER_NAMES):
        monkeypatch.delenv(name, raising=False)
    runtime.reset()
    yield
    runtime.reset()

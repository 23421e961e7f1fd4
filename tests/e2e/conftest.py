"""Fixtures of a real Label Studio and its editor. `make e2e-install` prepares the environment."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from .editor import Editor, browser
from .label_studio import LabelStudio, executable

DEFAULT_ENVIRONMENT = Path(__file__).parents[2] / ".venv-label-studio"


def label_studio_environment() -> Path:
    """Where Label Studio is installed; without it the test is skipped."""
    environment = Path(os.environ.get("LABEL_STUDIO_VENV") or DEFAULT_ENVIRONMENT).absolute()
    if not executable(environment).exists():
        _unavailable(f"Label Studio is not installed in {environment}")
    return environment


@pytest.fixture(scope="session")
def label_studio() -> Iterator[LabelStudio]:
    """A running Label Studio, empty at first, one for all tests."""
    with LabelStudio(label_studio_environment()) as server:
        yield server


@pytest.fixture(scope="session")
def editor(label_studio: LabelStudio) -> Iterator[Editor]:
    """A browser with Label Studio's editor, one for all tests."""
    if browser() is None:
        _unavailable("Chromium is not installed")
    with Editor(label_studio) as opened:
        yield opened


def _unavailable(reason: str) -> NoReturn:
    """Skips, except in CI, where a missing part must not pass for a success."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}: run `make e2e-install`", pytrace=False)
    pytest.skip(f"{reason}: run `make e2e-install`")

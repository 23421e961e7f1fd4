"""Fixtures of the editor alone. `make e2e-install` prepares what they need."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.editor.assets import EditorAssets, require_assets
from shared.editor.browser import EditorBrowser
from shared.settings import Settings

REPO = Path(__file__).parents[2]
# What the editor may take for a task while other tests keep the machine busy.
PATIENCE_SECONDS = 120


def label_studio_folder() -> Path:
    """Where Label Studio is installed; without it the test is skipped, except in CI."""
    folder = Path(os.environ.get("LABEL_STUDIO_VENV") or REPO / ".venv-label-studio").absolute()
    if not folder.exists():
        reason = f"Label Studio is not installed in {folder}: run `make e2e-install`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def assets() -> EditorAssets:
    """The editor's files of the Label Studio that the end-to-end tests use."""
    return require_assets(Settings(label_studio_assets=label_studio_folder()))


@pytest.fixture(scope="session")
def browser() -> Iterator[EditorBrowser]:
    """The editor in a browser, one for all tests that need no settings of their own."""
    settings = Settings(label_studio_assets=label_studio_folder())
    with EditorBrowser(settings, timeout=PATIENCE_SECONDS) as opened:
        yield opened

"""Fixtures of a real Label Studio and its editor. `make e2e-install` prepares the environment."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, sync_playwright
from pydantic import SecretStr

from shared.editor.browser import EditorBrowser
from shared.settings import Settings
from tests.serving import Served, served

from .editor import FLAGS, Editor, browser
from .editor_alone import EditorAlone
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
def opened_editor(label_studio: LabelStudio) -> Iterator[Editor]:
    """A browser with Label Studio's editor, one for all tests."""
    if browser() is None:
        _unavailable("Chromium is not installed")
    with Editor(label_studio) as opened:
        yield opened


@pytest.fixture(scope="module")
def editor(opened_editor: Editor) -> Iterator[Editor]:
    """The browser, one for all tests; what a module has left open in it is closed."""
    yield opened_editor
    opened_editor.leave()


@pytest.fixture(scope="session")
def editor_alone(label_studio: LabelStudio) -> Iterator[EditorAlone]:
    """The editor without Label Studio's pages around it, one for all tests."""
    if browser() is None:
        _unavailable("Chromium is not installed")

    def open_browser() -> EditorBrowser:
        settings = Settings(
            label_studio_assets=label_studio_environment(),
            label_studio_url=label_studio.url,
            label_studio_api_key=SecretStr(label_studio.token),
        )
        return EditorBrowser(settings, timeout=90)

    with EditorAlone(label_studio, open_browser) as editor:
        yield editor


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without Label Studio, for pages of our own."""
    path = browser()
    if path is None:
        _unavailable("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def words_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with rules, and text classification's starter."""
    log = tmp_path_factory.mktemp("server") / "log"
    variables = {"TEXT_CLASSIFICATION_MODEL": "starter"}
    with served("pattern", "text_classification", log=log, **variables) as running:
        running.wait("/ready", 300)
        yield running


@pytest.fixture(scope="session")
def shapes_server(
    label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server with detection's starter, which knows drawn shapes."""
    environment = {
        "DETECTION_MODEL": "starter",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    log = tmp_path_factory.mktemp("server") / "log"
    with served("detection", log=log, **environment) as running:
        running.wait("/ready", 300)
        yield running


def _unavailable(reason: str) -> NoReturn:
    """Skips, except in CI, where a missing part must not pass for a success."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}: run `make e2e-install`", pytrace=False)
    pytest.skip(f"{reason}: run `make e2e-install`")

"""Commands run with the environment of an official example, and the server says what it reads."""

import logging
import os
import subprocess
import sys

import pytest

from backends.ner.backend import NerSettings
from shared.cli.official_variables import adopt_official_variables, log_official_variables
from shared.settings import Settings, read_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the test an environment of its own, and return it."""
    copy = dict(os.environ)
    monkeypatch.setattr(os, "environ", copy)
    return copy


def test_settings_of_ours_get_the_values(environment: dict[str, str]) -> None:
    environment |= {
        "BASELINE_MODEL_NAME": "a/ner",
        "THRESHOLD": "0.8",
        "LABEL_STUDIO_HOST": "http://ls",
    }
    adopt_official_variables()
    settings = read_settings(NerSettings)
    assert (settings.model, settings.score_threshold) == ("a/ner", 0.8)
    assert read_settings(Settings).label_studio_url == "http://ls"


def test_the_log_names_ours_and_never_a_value(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    environment |= {"LABEL_STUDIO_ACCESS_TOKEN": "hunter2", "SAM_CHOICE": "SAM", "WORKERS": "2"}
    with caplog.at_level(logging.INFO):
        log_official_variables(adopt_official_variables())
    assert caplog.messages == [
        "LABEL_STUDIO_ACCESS_TOKEN is read as LABEL_STUDIO_API_KEY",
        "SAM_CHOICE is read as SEGMENT_MODEL",
    ]


def test_serve_tells_before_anything_is_started() -> None:
    variables = {"THREADS": "8", "GLINER_MODEL_NAME": "urchade/gliner_medium-v2.1"}
    run = subprocess.run(
        [sys.executable, "-m", "shared.cli", "serve", "nobody"],
        env=os.environ | variables | {"LOG_LEVEL": "NOTSET"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if "official_variables" in line]
    assert [line.rpartition("official_variables: ")[2] for line in lines] == [
        "THREADS has no effect: threads are made as requests need them",
        "GLINER_MODEL_NAME is read as NER_MODEL: it needs the extra `gliner`",
    ]

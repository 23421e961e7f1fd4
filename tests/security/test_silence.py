"""Model libraries send no telemetry, and draw no progress bars between the lines of our log."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import served

pytest.importorskip("openvino")

# Where one of these is set, libraries send nothing anyway.
CI_VARIABLES = (
    "CI",
    "TF_BUILD",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "CIRCLECI",
    "TRAVIS",
    "JENKINS_URL",
)
# Folders of libraries' own settings in the home folder.
LIBRARY_FOLDERS = {"Ultralytics"}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "onnx"])
def test_libraries_write_no_telemetry(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    names = ["detection", "ocr", *(["ner"] if engine == "auto" else [])]
    home, models = tmp_path / "home", {"DETECTION_MODEL": "starter", "NER_MODEL": "starter"}
    home.mkdir()
    variables = {"HOME": str(home), "ENGINE": engine, "CACHE_DIR": str(tmp_path / "cache")}
    with served(*names, log=tmp_path / "log", **models, **variables) as server:
        server.wait("/ready")
    written = {path.parts[len(home.parts) + 1] for path in home.rglob("*") if path.is_file()}
    assert written <= LIBRARY_FOLDERS


PROGRAM = """
from shared.settings import restrain_libraries
restrain_libraries()
from transformers.utils import logging
print(logging.is_progress_bar_enabled())
"""


@pytest.mark.parametrize(("variable", "shown"), [("", "False"), ("0", "True")])
def test_progress_bars_of_downloads(
    variable: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    if variable:
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", variable)
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == shown

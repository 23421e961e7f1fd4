"""Model libraries tell their makers nothing, and draw nothing between the lines that we write."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import served

pytest.importorskip("openvino")

EXCUSED = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL")
"""Variables under which they tell nothing anyway."""
OWN = {"Ultralytics"}
"""Settings that a library keeps for itself."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "onnx"])
def test_nothing_is_told(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EXCUSED:
        monkeypatch.delenv(name, raising=False)
    names = ["detection", "ocr", *(["ner"] if engine == "auto" else [])]
    home, models = tmp_path / "home", {"DETECTION_MODEL": "starter", "NER_MODEL": "starter"}
    home.mkdir()
    variables = {"HOME": str(home), "ENGINE": engine, "CACHE_DIR": str(tmp_path / "cache")}
    with served(*names, log=tmp_path / "log", **models, **variables) as server:
        server.wait("/ready")
    kept = {path.parts[len(home.parts) + 1] for path in home.rglob("*") if path.is_file()}
    assert kept <= OWN


ASK = """
from shared.settings import restrain_libraries
restrain_libraries()
from transformers.utils import logging
print(logging.is_progress_bar_enabled())
"""


@pytest.mark.parametrize(("variable", "shown"), [("", "False"), ("0", "True")])
def test_progress_bars_of_weights(
    variable: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    if variable:
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", variable)
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == shown

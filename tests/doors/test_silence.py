"""Model libraries tell their makers nothing: each would keep a file of its own for that."""

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

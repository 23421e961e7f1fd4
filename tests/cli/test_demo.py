"""`prelabel demo`: every backend's example is predicted and shown, as `make demo` does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.backend.registry import find_backends


@pytest.mark.slow
def test_each_example_is_predicted_and_its_pictures_are_drawn(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "demo", "--once", "--port", "0", "--out", tmp_path],
        env=os.environ | {"COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    for name in find_backends():
        assert f"\n{name} " in ran.stdout, name
    pictures = sorted(tmp_path.glob("*.png"))
    assert {path.stem.rpartition("-")[0] for path in pictures} == {"detection", "ocr", "segment"}
    assert all(path.stat().st_size > 1000 for path in pictures)

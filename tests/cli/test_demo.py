"""`prelabel demo`: every backend's example is predicted and shown, as `make demo` does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from shared.backend.example import Example
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
    assert ran.stdout.count("a mask of ") == 4
    shapes = Example.load(find_backends()["segment"])
    for number, task in enumerate(shapes.tasks, 1):
        files = tmp_path / f"segment-{number}.png", *shapes.image_files(task)
        drawn, plain = (Image.open(file).convert("RGB") for file in files)
        assert ImageChops.difference(drawn, plain).getbbox(), "masks are drawn"

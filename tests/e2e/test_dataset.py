"""`prelabel dataset --project`: pictures that lie in a real Label Studio, and their annotations."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.evaluation.dataset.building import box, noise
from tests.evaluation.dataset.test_yolo import BOXES, SIZE, red_box, with_red

from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]
DRAWN = (8, 5, 31, 17)


def write_turned(path: Path) -> None:
    """A JPEG that is stored as a camera on its side does."""
    exif = Pillow.Exif()
    exif[274] = 6
    stored = np.ascontiguousarray(with_red(DRAWN).transpose(1, 0, 2)[::-1])
    Pillow.fromarray(stored).save(path, "JPEG", quality=95, exif=exif)


def run_dataset(
    server: LabelStudio, folder: Path, *words: Any
) -> "subprocess.CompletedProcess[str]":
    variables = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    return subprocess.run(
        [sys.executable, "-m", "shared.cli", "dataset", *map(str, words)],
        cwd=folder,
        env=os.environ | variables | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("kind", ["yolo", "coco"])
def test_uploaded_pictures_with_their_boxes(
    kind: str, label_studio: LabelStudio, tmp_path: Path
) -> None:
    """One with a box, one without, one skipped, and one that nobody has looked at."""
    project = label_studio.create_project("dataset", BOXES)
    write_turned(tmp_path / "turned.jpg")
    paths = [tmp_path / "turned.jpg"]
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Pillow.fromarray(noise(number)).save(paths[-1])
    tasks = label_studio.upload(project, paths)
    create = label_studio.client.annotations.create
    create(tasks[0], result=[box("Red", DRAWN, SIZE, id="one")])
    create(tasks[1], result=[])
    create(tasks[2], result=[], was_cancelled=True)
    run = run_dataset(
        label_studio, tmp_path, "--project", project, "-o", "out", "--format", kind, "--split", 1
    )
    assert run.returncode == 0, run.stderr
    assert "2 tasks left out: no annotation" in run.stderr
    out = tmp_path / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    assert [one["id"] for one in manifest["tasks"]] == sorted(tasks[:2])
    pixels = np.asarray(Pillow.open(out / "images" / "train" / f"task-{tasks[0]}.jpg"))
    assert pixels.shape == (40, 60, 3)
    if kind == "yolo":
        line = (out / "labels" / "train" / f"task-{tasks[0]}.txt").read_text().split()
        x, y, w, h = (float(value) for value in line[1:])
        found = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * (60, 40, 60, 40)
        assert (out / "labels" / "train" / f"task-{tasks[1]}.txt").read_text() == ""
    else:
        [annotation] = json.loads((out / "annotations" / "train.json").read_text())["annotations"]
        left, top, width, height = annotation["bbox"]
        found = np.array([left, top, left + width, top + height])
    assert np.abs(found - red_box(pixels)).max() <= 1

"""`prelabel show`: pictures by the real editor, and what is said where there is none."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.editor.conftest import label_studio_folder

from .conftest import Command

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image">
<Label value="Car" background="#ff0000"/></RectangleLabels>
</View>"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, and tasks: a white image with a box, one without predictions."""
    from shared.settings import Settings, read_settings
    from tests.e2e.media import image

    monkeypatch.setenv("LABEL_STUDIO_ASSETS", str(label_studio_folder()))
    read_settings.cache_clear()
    value = {"x": 50, "y": 50, "width": 40, "height": 40, "rotation": 0, "rectanglelabels": ["Car"]}
    box = {"id": "a", "type": "rectanglelabels", "from_name": "box", "to_name": "image"}
    size = {"original_width": 320, "original_height": 200, "image_rotation": 0}
    result = [box | size | {"value": value}]
    tasks = [
        {"data": {"image": image()}, "predictions": [{"result": result}, {"result": []}]},
        {"data": {"image": image()}, "annotations": [{"result": result}]},
        {"data": {"image": "http://10.0.0.1/a.png"}, "predictions": [{"result": result}]},
    ]
    (tmp_path / "config.xml").write_text(CONFIG)
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    assert read_settings(Settings).label_studio_assets is not None
    return tmp_path


def count_reddish(path: Path) -> int:
    """Pixels in which red is over green and blue by more than in the editor's own icons."""
    pixels = cv2.imread(str(path)).astype(int)
    return int(np.sum(pixels[..., 2] - pixels[..., :2].max(axis=2) > 40))


def test_each_prediction_becomes_a_picture(files: Path, prelabel: Command) -> None:
    ran = prelabel("show", "tasks.json", "--label-config", "config.xml", "-o", "out")
    assert sorted(path.name for path in (files / "out").iterdir()) == ["0-0.png", "0-1.png"]
    # the box covers 0.16 of an image that is drawn over 900 pixels wide, the second has none
    assert count_reddish(files / "out" / "0-0.png") > 0.16 * 900 * 560 * 0.8
    assert count_reddish(files / "out" / "0-1.png") < 2000
    assert ran.status == 1
    assert "task 1 (line 1): The task has no predictions" in ran.err
    assert 'task 2 (line 1): "image" of Image "image":' in ran.err
    assert "ALLOWED_NETWORKS" in ran.err


def test_one_task_s_annotation_becomes_the_named_picture(files: Path, prelabel: Command) -> None:
    arguments = ("--task", 1, "--annotations", "-o", "one.png")
    ran = prelabel("show", "tasks.json", "--label-config", "config.xml", *arguments)
    assert (ran.status, ran.out.strip(), ran.err) == (0, "one.png", "")
    assert count_reddish(files / "one.png") > 0.16 * 900 * 560 * 0.8


BAD: dict[str, tuple[tuple[object, ...], str]] = {
    "no output": ((), "specify -o PICTURE, or --open"),
    "no such task": (("--task", 7, "-o", "a.png"), "tasks.json: has no task 7"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_shown_is_said(case: str, files: Path, prelabel: Command) -> None:
    arguments, message = BAD[case]
    ran = prelabel("show", "tasks.json", "--label-config", "config.xml", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_without_the_editor_s_files_the_command_says_what_installs_them(
    files: Path, prelabel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.settings import read_settings

    monkeypatch.delenv("LABEL_STUDIO_ASSETS")
    read_settings.cache_clear()
    ran = prelabel("show", "tasks.json", "--label-config", "config.xml", "-o", "a.png")
    assert ran.status == 2
    assert "pip install --no-deps label-studio" in ran.err


def test_validate_compares_what_the_editor_draws(files: Path, prelabel: Command) -> None:
    tasks = json.loads((files / "tasks.json").read_text())[:1]
    [box] = tasks[0]["predictions"][0]["result"]
    box["value"]["rectanglelabels"] = ["Van"]
    (files / "wrong.json").write_text(json.dumps(tasks))
    arguments = ("--label-config", "config.xml", "--editor", "--format", "json")
    ran = prelabel("validate", "wrong.json", *arguments)
    found = [json.loads(line) for line in ran.out.splitlines()][:-1]
    [drawn] = [row for row in found if row["rule"] == "drawn"]
    assert (drawn["task"], drawn["prediction"], drawn["region"]) == (0, 0, "a")
    assert "its label 'Van' is not one of the editor's" in drawn["message"]
    assert ran.status == 1

"""What a training leaves: each file of a version's folder, its pictures, and what was confused."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.training.confusion import ConfusionCounter
from shared.training.leavings import read_metrics, write_leavings
from shared.training.loaded_libraries import loaded_libraries
from shared.training.pictures import draw_pictures, group_curves

from .leaving import CONFIG, EPOCHS, GATE, make_leavings


def test_files(tmp_path: Path) -> None:
    folder = tmp_path / "v2"
    (folder / "weights").mkdir(parents=True)
    leavings = make_leavings(tmp_path / "job", confusion={"Star": {"Star": 24, "": 1}})
    assert write_leavings(folder, leavings) == []
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "weights",
        "manifest.json",
        "metrics.json",
        "curves.png",
        "confusion.png",
        "settings.json",
        "log.txt",
        "README.md",
    }
    assert (folder / "manifest.json").read_bytes() == leavings.manifest.read_bytes()
    assert (folder / "log.txt").read_text().startswith("epoch 1\n")
    assert read_metrics(folder) == {
        "epochs": EPOCHS,
        "gate": GATE,
        "confusion": {"Star": {"Star": 24, "": 1}},
    }
    settings = json.loads((folder / "settings.json").read_text())
    libraries = settings.pop("libraries")
    assert settings == {"seed": 7, "device": "cpu", "data": "…/data.yaml", "seconds": 12.3}
    assert libraries["python"] == sys.version.split()[0]
    for name in ("curves.png", "confusion.png"):
        with Image.open(folder / name) as picture:
            assert picture.width > 200
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10, "nothing is drawn"


def test_settings_of_the_trainer(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    written = {"library": "ultralytics", "base_model": "Ultralytics/YOLO11", "lr0": 0.002}
    (weights / "trainer.json").write_text(json.dumps(written | {"data": "/srv/x/data.yaml"}))
    write_leavings(tmp_path, make_leavings(tmp_path / "job"))
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["trainer"] == {"lr0": 0.002, "data": "…/data.yaml"}
    assert not list(weights.iterdir()), "nothing but weights is left there"
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "ultralytics"
    assert card.data.base_model == "Ultralytics/YOLO11"
    assert "| lr0 | 0.002 |" in card.text


def test_without_matplotlib_the_rest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (said,) = write_leavings(tmp_path, make_leavings(tmp_path / "job"))
    assert "matplotlib is not installed" in said
    assert "[train]" in said
    assert not (tmp_path / "curves.png").exists()
    assert ".png" not in (tmp_path / "README.md").read_text()


def test_training_of_which_nothing_is_known(tmp_path: Path) -> None:
    """A linear head has no epochs, and few annotations leave none to hold out."""
    leavings = make_leavings(tmp_path / "job", epochs=(), gate={}, log=None)
    assert write_leavings(tmp_path, leavings) == []
    assert not list(tmp_path.glob("*.png"))
    assert "Nothing is known of it" in (tmp_path / "README.md").read_text()


def test_libraries_are_those_that_were_imported() -> None:
    found = loaded_libraries()
    assert {"orjson", "pytest", "pillow"} <= {name.lower() for name in found}
    assert "mosec" not in found


@pytest.mark.parametrize(
    ("epochs", "panels"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(
            [{"loss": 2.0, "f1": 0.5, "lr": 0.01}, {"loss": 1.0, "f1": 0.75, "lr": 0.005}],
            {"loss": {"loss": [(1, 2.0), (2, 1.0)]}, "metrics": {"f1": [(1, 0.5), (2, 0.75)]}},
            id="numbered by their order",
        ),
        pytest.param(
            [
                {"epoch": 1, "val_loss": float("nan"), "seconds": 40.0},
                {"epoch": 4, "val_loss": 9.0},
            ],
            {"loss": {"val_loss": [(4, 9.0)]}},
            id="not finite, and not from 0 to 1",
        ),
    ],
)
def test_curves(epochs: list[dict[str, float]], panels: Any) -> None:
    assert group_curves(epochs) == panels


def test_odd_names_are_drawn(tmp_path: Path) -> None:
    confusion = {"$x_{$": {"$x_{$": 1, "": 2}, "": {"a\nb" * 40: 3}}
    assert draw_pictures(tmp_path, [{"epoch": 1, "$loss$ a^b": 1.0}], confusion) == [
        "curves.png",
        "confusion.png",
    ]


def box(label: str, x: float, y: float = 10.0, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": 10, "height": 10, "rotation": 0, "rectanglelabels": [label]}
    return {
        "from_name": "shape",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 100,
        "original_height": 100,
        "value": value,
        **more,
    }


def test_confusion_of_regions() -> None:
    """True: Star at 10, Cross at 30, Star at 50, Cross at 70. Predicted: Star at 10 (right), Star
    at 31 (9 of 11 parts of Cross's place: confused), nothing at 50, Cross at 90 (invented)."""
    truth = [box("Star", 10), box("Cross", 30), box("Star", 50), box("Cross", 70)]
    predicted = [box("Star", 10), box("Star", 31), box("Cross", 90), box("Cross", 70)]
    task = {
        "id": 1,
        "data": {"photo": "a.png"},
        "annotations": [{"id": 1, "result": truth}],
        "predictions": [
            {"model_version": "new", "result": predicted},
            {"model_version": "old", "result": []},
        ],
    }
    config, problems = LabelConfig.parse(CONFIG), ProblemLog()
    counter = ConfusionCounter("shape", "new")
    evaluation = Evaluation(config, observers=[counter], problems=problems)
    evaluation.add(TaskReader(config, None, problems).read(task, 1))  # type: ignore[arg-type]
    assert counter.table() == {
        "": {"Cross": 1},
        "Cross": {"Cross": 1, "Star": 1},
        "Star": {"": 1, "Star": 1},
    }

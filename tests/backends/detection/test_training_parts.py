"""The parts of a training: the dataset for a task, the base network, the number of epochs."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from backends.detection import DetectionBackend
from backends.detection.model.trained_network import (
    NetworkDescription,
    build_network,
    head_width,
    load_trained_network,
    save_network,
)
from backends.detection.training.base_network import choose_base
from backends.detection.training.picture_dataset import (
    CONVERTERS,
    LabelRow,
    prepare_dataset,
    read_rows,
)
from backends.detection.training.recipe import choose_batch, choose_epochs, fit_epochs
from backends.detection.training.train import _memory_errors
from shared.backend.training import TrainingError, TrainingMemoryError, TrainingRun
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.settings import Settings, changed_environment

pytest.importorskip("ultralytics")

BOX = LabelRow(0, (0.5, 0.5, 0.4, 0.2))
# A diamond: left, top, right, bottom.
DIAMOND = LabelRow(0, (0.2, 0.5, 0.4, 0.3, 0.6, 0.5, 0.4, 0.7))
OUTLINE = LabelRow(0, (0.2, 0.5, 0.4, 0.3, 0.6, 0.5))


@pytest.mark.parametrize(
    ("task", "row", "expected"),
    [
        ("detect", BOX, (0.5, 0.5, 0.4, 0.2)),
        # x from 0.2 to 0.6, y from 0.3 to 0.7
        ("detect", DIAMOND, (0.4, 0.5, 0.4, 0.4)),
        ("detect", OUTLINE, (0.4, 0.4, 0.4, 0.2)),
        # x from 0.3 to 0.7, y from 0.4 to 0.6
        ("segment", BOX, (0.3, 0.4, 0.7, 0.4, 0.7, 0.6, 0.3, 0.6)),
        ("segment", OUTLINE, OUTLINE.shape),
        ("obb", DIAMOND, DIAMOND.shape),
        ("obb", BOX, (0.3, 0.4, 0.7, 0.4, 0.7, 0.6, 0.3, 0.6)),
        ("obb", OUTLINE, (0.2, 0.3, 0.6, 0.3, 0.6, 0.5, 0.2, 0.5)),
        ("pose", BOX._replace(points=(0.5, 0.4, 2.0)), (0.5, 0.5, 0.4, 0.2, 0.5, 0.4, 2.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_drawn_fits_the_task(task: str, row: LabelRow, expected: tuple[float]) -> None:
    assert CONVERTERS[task](row) == pytest.approx(expected)


def test_a_row_has_key_points_if_the_dataset_has() -> None:
    text = "1 0.5 0.5 0.4 0.2 0.5 0.4 2\n"
    [row] = read_rows(text, 1)
    assert row == LabelRow(1, (0.5, 0.5, 0.4, 0.2), (0.5, 0.4, 2.0))


def png(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(file, kind)
    return file.getvalue()


def write_dataset(folder: Path, files: dict[str, bytes]) -> Path:
    for part in ("train", "val"):
        (folder / "images" / part).mkdir(parents=True)
        (folder / "labels" / part).mkdir(parents=True)
    for name, content in files.items():
        (folder / "images" / "train" / name).write_bytes(content)
        label = (folder / "labels" / "train" / name).with_suffix(".txt")
        label.write_text("0 0.5 0.5 0.4 0.2\n1 0.5 0.5 0.2 0.2\n")
    (folder / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnames:\n  0: 'Other'\n  1: 'No'\n"
    )
    return folder


def test_labels_of_other_tags_are_left_out_and_the_rest_is_renumbered(tmp_path: Path) -> None:
    source = write_dataset(tmp_path / "source", {"a.png": png()})
    made = prepare_dataset(source, "detect", ["Unseen", "No"], tmp_path / "made")
    assert made.class_names == ("No",)
    assert made.data["names"] == {0: "No"}
    text = (tmp_path / "made" / "labels" / "train" / "a.txt").read_text()
    assert text == "0 0.500000 0.500000 0.200000 0.200000\n"
    # the part for validation is empty
    assert made.data["val"] == made.data["train"]


def test_pictures_are_read_or_converted_and_never_changed(tmp_path: Path) -> None:
    cut = png("JPEG")[:-2]
    files = {"a.gif": png("GIF"), "b.jpg": cut, "c.png": png()}
    source = write_dataset(tmp_path / "source", files)
    prepare_dataset(source, "detect", ["No"], tmp_path / "made")
    made = tmp_path / "made" / "images" / "train"
    assert sorted(path.name for path in made.iterdir()) == ["a.png", "b.jpg", "c.png"]
    assert not (made / "b.jpg").is_symlink()  # Ultralytics would repair it
    assert (made / "c.png").is_symlink()
    assert (source / "images" / "train" / "b.jpg").read_bytes() == cut


@pytest.mark.parametrize(
    ("task", "labels", "files", "message"),
    [
        ("detect", ["Car"], {"a.png": png()}, "no label to learn: expected Car, found Other, No"),
        ("detect", ["No"], {}, "no picture is in the part of the dataset for training"),
        ("pose", ["No"], {"a.png": png()}, "has no key points"),
        ("classify", ["No"], {"a.png": png()}, "has no classes.json"),
    ],
    ids=["other labels", "no pictures", "no key points", "no classes"],
)
def test_a_dataset_with_nothing_to_learn_is_refused(
    task: str, labels: list[str], files: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    source = write_dataset(tmp_path / "source", files)
    with pytest.raises(TrainingError, match=message):
        prepare_dataset(source, task, labels, tmp_path / "made")


OBSTACLES = {
    "boxes": ('<RectangleLabels name="t" toName="i"><Label value="A"/></RectangleLabels>', None),
    "Labels": (
        '<Rectangle name="t" toName="i"/><Labels name="l" toName="i"><Label value="A"/></Labels>',
        None,
    ),
    "no labels": ('<Rectangle name="t" toName="i"/>', "no labels"),
    "key points alone": (
        '<KeyPointLabels name="t" toName="i"><Label value="A"/></KeyPointLabels>',
        "add RectangleLabels",
    ),
    "one choice": ('<Choices name="t" toName="i"><Choice value="A"/></Choices>', None),
    "several choices": (
        '<Choices name="t" toName="i" choice="multiple"><Choice value="A"/></Choices>',
        "several may be chosen",
    ),
    "paths": ('<Taxonomy name="t" toName="i"><Choice value="A"/></Taxonomy>', "paths"),
}


@pytest.mark.parametrize(("tags", "expected"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_tags_that_cannot_be_trained_say_why(tags: str, expected: str | None) -> None:
    xml = f'<View><Image name="i" value="$i"/>{tags}</View>'
    with changed_environment({"DETECTION_MODEL": "starter"}):
        backend = DetectionBackend(label_config=xml)
        obstacle = backend.training_obstacle(backend.claim(backend.config)[0])
    assert obstacle is None if expected is None else expected in str(obstacle)


@pytest.mark.parametrize(
    ("pictures", "epochs", "batch"),
    # 3000 pictures are seen, in 30 to 150 epochs; a quarter of the pictures in a batch, 2 to 16
    [(2, 150, 2), (48, 63, 12), (60, 50, 15), (1000, 30, 16)],
)
def test_few_pictures_are_seen_often(pictures: int, epochs: int, batch: int) -> None:
    assert choose_epochs(pictures) == epochs
    assert choose_batch(pictures, 1.0) == batch


def test_batches_shrink_after_the_memory_was_full() -> None:
    assert choose_batch(1000, 0.25) == 4
    assert choose_batch(2, 0.125) == 1


@pytest.mark.parametrize(
    ("epochs", "done", "seconds", "allowed", "expected"),
    [
        (60, 2, 20.0, 3600.0, 60),  # 10 s an epoch: 324 would fit
        (60, 2, 200.0, 3600.0, 32),  # 100 s an epoch: 0.9 * 3600 / 100
        (60, 1, 4000.0, 3600.0, 1),  # the first one took all of it
    ],
    ids=["all", "some", "no more"],
)
def test_epochs_fit_into_the_time(
    epochs: int, done: int, seconds: float, allowed: float, expected: int
) -> None:
    assert fit_epochs(epochs, done, seconds, allowed) == expected


def small_layers() -> dict[str, Any]:
    from ultralytics.nn.tasks import yaml_model_load

    layers: dict[str, Any] = yaml_model_load("yolo26n.yaml")
    layers.pop("yaml_file")
    return {**layers, "scales": {"n": [0.33, 0.125, 512]}}


def test_a_head_that_is_wider_for_many_classes_is_read_again(tmp_path: Path) -> None:
    layers = small_layers()
    many = NetworkDescription("detect", layers, tuple(f"class {n}" for n in range(80)), 64)
    few = NetworkDescription("detect", layers, ("Heart", "Moon"), 64)
    base, network = build_network(many), build_network(few)
    assert (head_width(base), head_width(network)) == (80, 32)
    network.load(base, verbose=False)
    assert head_width(network) == 80
    described = NetworkDescription("detect", layers, few.class_names, 64, head_width(network))
    path = save_network(network.state_dict(), described, tmp_path)
    read, description = load_trained_network(path)
    assert description == described
    weights = network.state_dict()
    for name, value in read.state_dict().items():
        assert (value == weights[name].half().to(value.dtype)).all()


def test_code_in_a_description_is_not_run(tmp_path: Path) -> None:
    layers = {**small_layers(), "activation": "__import__('os').abort()"}
    described = NetworkDescription("detect", layers, ("A",), 64)
    path = save_network({}, described, tmp_path)
    with pytest.raises(ModelError, match="activation"):
        load_trained_network(path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=["Python", "CPU", "GPU"],
)
def test_a_full_memory_is_told_apart(error: Exception) -> None:
    with pytest.raises(TrainingMemoryError), _memory_errors():
        raise error


def choose(task: str, tmp_path: Path, **settings: str) -> Any:
    xml = (
        '<View><Image name="i" value="$i"/><RectangleLabels name="t" toName="i">'
        '<Label value="A"/></RectangleLabels></View>'
    )
    config = LabelConfig.parse(xml)
    run = TrainingRun(config, config.controls[0], ("A",), tmp_path, None, tmp_path)
    folders = {"MODEL_DIR": str(tmp_path), "CACHE_DIR": str(tmp_path / "cache")}
    with changed_environment({**folders, **settings}):
        return choose_base(run, task, DetectionBackend().settings, Settings())


def test_a_detector_is_the_base_of_other_tasks(tmp_path: Path) -> None:
    for task, head in (("segment", "Segment"), ("obb", "OBB"), ("classify", "Classify")):
        base = choose(task, tmp_path, DETECTION_MODEL="starter")
        assert base.name == "starter"
        assert base.layers["head"][-1][2] == head
        assert "yaml_file" not in base.layers


def test_without_weights_a_network_is_built_by_name_and_nothing_is_downloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = choose("segment", tmp_path, DETECTION_MODEL="yolo26n.pt")
    assert base.name == "yolo26n-seg.yaml"
    assert base.network is None
    assert "there are no weights to start from" in caplog.text
    assert not (tmp_path / "cache").exists()


def test_a_base_that_is_named_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"DETECTION_TRAIN_BASE=yolo11n\.pt"):
        choose("detect", tmp_path, DETECTION_MODEL="starter", DETECTION_TRAIN_BASE="yolo11n.pt")

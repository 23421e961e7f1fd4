"""Networks are trained on annotated pictures, and their versions are loaded without unpickling."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.detection import DetectionBackend
from backends.detection.model.trained_network import FILE_NAME
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.cli.demo.training_data.shapes import LABEL_CONFIG, LABELS, draw_picture
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.evaluation.dataset.building import build, task

pytest.importorskip("ultralytics")

# 12 pictures for training and 4 for validation.
PICTURES, SPLIT = 16, (0.75, 0.25)
EPOCHS = 3
TAG = "shape"
SETTINGS = {"DETECTION_MODEL": "starter", "DETECTION_IMAGE_SIZE": "128", "ENGINE": "torch"}
Reports = list[dict[str, float]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of drawn shapes that the starter has never seen."""
    pictures = (draw_picture(seed) for seed in range(PICTURES))
    tasks = [
        task(
            number,
            {"image": "data:image/png;base64," + base64.b64encode(picture.png()).decode()},
            picture.results(),
        )
        for number, picture in enumerate(pictures)
    ]
    folder = tmp_path_factory.mktemp("shapes")
    return build(folder, LABEL_CONFIG, tasks, "yolo", split=SPLIT).folder


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with changed_environment(SETTINGS):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


def train(
    dataset: Path, output: Path, on_epoch: Callable[..., bool] | None = None, **changes: Any
) -> Reports:
    """Train in `output`, and return what was reported after each epoch."""
    reports: Reports = []

    def report(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        reports.append({"epoch": epoch, "epochs": epochs, **metrics})
        return on_epoch is None or on_epoch(epoch, metrics)

    config = LabelConfig.parse(changes.pop("xml", LABEL_CONFIG))
    output.mkdir(parents=True)
    run = TrainingRun(
        config,
        config.controls[0],
        LABELS,
        dataset,
        None,
        output,
        max_epochs=EPOCHS,
        on_epoch=report,
    )
    DetectionBackend(label_config=config.xml).train(replace(run, **changes))
    return reports


def own_backend(output: Path, xml: str = LABEL_CONFIG) -> DetectionBackend:
    """The backend with a version of the tag."""
    weights = {TAG: TrainedWeights("detection", output, "v1-0a0b0c0d")}
    return DetectionBackend(label_config=xml, trained_weights=weights)


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reports]:
    output = tmp_path_factory.mktemp("job") / "weights"
    with changed_environment(SETTINGS):  # this fixture is made before that of a single test
        return output, train(dataset, output)


def test_the_loss_falls(trained: tuple[Path, Reports]) -> None:
    _, reports = trained
    assert [(one["epoch"], one["epochs"]) for one in reports] == [(1, 3), (2, 3), (3, 3)]
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert all(0 <= one["map50"] <= 1 for one in reports)


def test_nothing_is_left_but_what_is_loaded_and_read(trained: tuple[Path, Reports]) -> None:
    output, _ = trained
    names = {path.name for path in output.iterdir()}
    assert names == {FILE_NAME, "results.csv", "trainer.json"}
    assert [path.name for path in output.parent.iterdir()] == ["weights"]
    assert str(output.parent) not in (output / "trainer.json").read_text()
    assert str(output.parent).encode() not in (output / FILE_NAME).read_bytes()


def test_a_version_serves_its_tag_with_its_labels(trained: tuple[Path, Reports]) -> None:
    backend = own_backend(trained[0])
    [claim] = backend.claim(backend.config)
    assert claim.spec.label == "detection-v1-0a0b0c0d"
    assert [path.name for path in backend.weights(claim.spec)] == [FILE_NAME]
    model = backend.load(claim.spec)
    assert model.network.class_names == LABELS
    assert model.network.spec.image_size == 128
    assert backend.count_known_labels(model, claim) == 3


def test_a_video_tag_of_that_name_is_served_too(trained: tuple[Path, Reports]) -> None:
    xml = f"""<View><Video name="video" value="$video"/><VideoRectangle name="{TAG}"
      toName="video"/><Labels name="label" toName="video"><Label value="Moon"/></Labels></View>"""
    backend = own_backend(trained[0], xml)
    [claim] = backend.claim(backend.config)
    assert claim.spec.label == "detection-v1-0a0b0c0d"
    [network] = backend.load(claim.spec).networks.values()
    assert network.class_names == LABELS


def test_classes_of_the_base_model_are_not_asked_of_a_trained_one(
    trained: tuple[Path, Reports],
) -> None:
    xml = LABEL_CONFIG.replace("<RectangleLabels", '<RectangleLabels model_classes="circle"')
    backend = own_backend(trained[0], xml)
    [claim] = backend.claim(backend.config)
    assert claim.options["classes"] == ()


def test_the_same_seed_gives_the_same_training(
    dataset: Path, trained: tuple[Path, Reports], tmp_path: Path
) -> None:
    first, second = trained[1], train(dataset, tmp_path / "weights")
    for one, other in zip(first, second, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert other["map50"] == pytest.approx(one["map50"], abs=1e-3)


def test_a_training_goes_on_from_the_version_that_serves(
    dataset: Path, trained: tuple[Path, Reports], tmp_path: Path
) -> None:
    [first] = train(dataset, tmp_path / "on", base=trained[0], max_epochs=1)
    [anew] = train(dataset, tmp_path / "anew", max_epochs=1)
    assert first["loss"] < anew["loss"]


def test_a_training_stops_with_the_best_epoch_when_it_is_told_to(
    dataset: Path, tmp_path: Path
) -> None:
    reports = train(dataset, tmp_path / "weights", lambda epoch, metrics: False)
    assert len(reports) == 1
    assert own_backend(tmp_path / "weights").claim(LabelConfig.parse(LABEL_CONFIG))
    assert (tmp_path / "weights" / FILE_NAME).is_file()


def test_a_cancelled_training_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    def cancel(epoch: int, metrics: Mapping[str, float]) -> bool:
        raise TrainingError("cancelled")

    with pytest.raises(TrainingError, match="cancelled"):
        train(dataset, tmp_path / "weights", cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    assert not list((tmp_path / "weights").iterdir())


def test_weights_that_are_gone_or_broken_are_named(
    trained: tuple[Path, Reports], tmp_path: Path
) -> None:
    backend = own_backend(tmp_path)
    [claim] = backend.claim(backend.config)
    with pytest.raises(ModelError, match="v1-0a0b0c0d are gone from TRAIN_DIR"):
        list(backend.weights(claim.spec))
    (tmp_path / FILE_NAME).write_bytes((trained[0] / FILE_NAME).read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be read"):
        backend.load(claim.spec)


def test_only_a_trained_version_may_be_a_folder(trained: tuple[Path, Reports]) -> None:
    backend = own_backend(trained[0])
    [claim] = backend.claim(backend.config)
    with pytest.raises(ModelError, match="outside MODEL_DIR"):
        list(backend.weights(replace(claim.spec, trained_version="")))


def test_what_was_learned_is_found(trained: tuple[Path, Reports]) -> None:
    """Hardly anything in three epochs; but what comes out are boxes of the labels."""
    backend = own_backend(trained[0])
    [claim] = backend.claim(backend.config)
    model = backend.load(claim.spec)
    pixels = np.ascontiguousarray(draw_picture(0).pixels)
    [found] = model.network.detect([Image(pixels)])
    assert len(found) > 0
    assert {found.class_name(row) for row in range(len(found))} <= set(LABELS)

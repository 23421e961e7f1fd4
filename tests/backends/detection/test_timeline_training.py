"""TimelineLabels are trained on a few drawn videos, and told on others."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from backends.detection import DetectionBackend
from shared.backend.training import TrainedWeights, TrainingRun
from shared.label_studio.label_config import LabelConfig
from shared.media.video import VideoLimits
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.detection.moving_shapes import (
    FRAMES,
    LABELS,
    MovingShape,
    draw_moving_shape,
)
from tests.evaluation.dataset.building import build, task

pytest.importorskip("av")
pytest.importorskip("safetensors")

TRAINING, VALIDATION, UNSEEN = 8, 2, 4
LIMITS = VideoLimits(10, 10_000)
ENVIRONMENT = {"DETECTION_MODEL": "starter", "ENGINE": "torch", "DEVICE": "cpu"}


def label_config(attributes: str = "", labels: tuple[str, ...] = LABELS) -> str:
    tags = "".join(f'<Label value="{label}"/>' for label in labels)
    return (
        '<View><Video name="video" value="$video" frameRate="25"/><TimelineLabels name="when"'
        f' toName="video" model_image_size="128" model_frame_step="2" {attributes}>{tags}'
        "</TimelineLabels></View>"
    )


def address_of(data: bytes) -> str:
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


class Epoch(NamedTuple):
    number: int
    of: int
    figures: dict[str, float]


class Trained(NamedTuple):
    run: TrainingRun
    epochs: list[Epoch]


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    pytest.importorskip("ultralytics")
    with changed_environment(ENVIRONMENT):
        runtime.reset_runtime()
        yield
        runtime.reset_runtime()


def write_dataset(folder: Path, parts: dict[str, list[MovingShape]]) -> Path:
    """Write the parts one by one, so that each video comes where it is wanted."""
    dataset = folder / "dataset"
    (dataset / "videos").mkdir(parents=True)
    for part, videos in parts.items():
        raws = [
            task(number, {"video": address_of(video.data)}, video.results())
            for number, video in enumerate(videos)
        ]
        built = build(folder, label_config(), raws, "video", output=folder / part).folder
        (built / "train.jsonl").rename(dataset / f"{part}.jsonl")
        for file in (built / "videos").iterdir():
            file.rename(dataset / "videos" / file.name)
    return dataset


def make_run(dataset: Path, output: Path, attributes: str = "", **options: Any) -> TrainingRun:
    config = LabelConfig.parse(label_config(attributes))
    control = config.find_control("when")
    assert control is not None
    output.mkdir(parents=True)
    return TrainingRun(config, control, LABELS, dataset, None, output, **options)


def train(run: TrainingRun) -> Trained:
    epochs: list[Epoch] = []

    def note(*epoch: Any) -> bool:
        epochs.append(Epoch(*epoch))
        return True

    noted = replace(run, on_epoch=note)
    DetectionBackend(label_config=run.config.xml, served=True).train(noted)
    return Trained(noted, epochs)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = {
        "train": [draw_moving_shape(seed) for seed in range(TRAINING)],
        "val": [draw_moving_shape(seed) for seed in range(50, 50 + VALIDATION)],
    }
    return write_dataset(tmp_path_factory.mktemp("videos"), parts)


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("timeline") / "v1-0a1b2c3d"
    return train(make_run(dataset, folder / "weights", max_epochs=40))


def predict(folder: Path, videos: list[MovingShape]) -> list[Any]:
    own = {"when": TrainedWeights("detection", folder, "v1-0a1b2c3d")}
    config = LabelConfig.parse(label_config())
    [plan] = runtime.runtime().planner.plan_all(config, [DetectionBackend], (), own)
    tasks = [
        {"id": number, "data": {"video": address_of(video.data)}}
        for number, video in enumerate(videos)
    ]
    return [outcome.to_response() for outcome in runtime.runtime().pipeline.run(plan, tasks)]


def frames_of(results: list[dict[str, Any]]) -> np.ndarray:
    """Return for each label and frame whether the editor shows the label there."""
    held = np.zeros((len(LABELS), FRAMES), bool)
    for result in results:
        [span], [label] = result["value"]["ranges"], result["value"]["timelinelabels"]
        held[LABELS.index(label), span["start"] - 1 : span["end"]] = True
    return held


def test_labels_of_unseen_videos_are_told(trained: Trained) -> None:
    videos = [draw_moving_shape(seed) for seed in range(90, 90 + UNSEEN)]
    answers = predict(trained.run.output, videos)
    found = np.concatenate([frames_of(answer["result"]) for answer in answers], axis=1)
    truth = np.concatenate([video.held for video in videos], axis=1)
    f1 = 2 * (found & truth).sum(axis=1) / (found.sum(axis=1) + truth.sum(axis=1))
    assert f1.mean() >= 0.8, f1
    assert all(0.5 <= r["score"] <= 1 for answer in answers for r in answer["result"])
    assert {"detection-v1-0a1b2c3d"} == {a["model_version"].rpartition("-")[0] for a in answers}

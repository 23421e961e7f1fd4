"""TimelineLabels are trained on a few drawn videos, and told on others."""

import base64
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest

from backends.detection import DetectionBackend
from backends.detection.timeline.attributes import TimelineOptions
from backends.detection.timeline.labelled_frames import LabelledVideo
from backends.detection.timeline.weights import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    load_timeline,
    read_description,
)
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.errors import ConfigError, ModelError
from shared.label_studio.label_config import LabelConfig
from shared.media.video import VideoLimits
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.detection.clip import encode_video
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
def fresh_runtime() -> Iterator[None]:
    pytest.importorskip("ultralytics")
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
    call_trainer(noted)
    return Trained(noted, epochs)


def call_trainer(run: TrainingRun) -> None:
    with changed_environment(ENVIRONMENT):
        DetectionBackend(label_config=run.config.xml, served=True).train(run)


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
    return train(make_run(dataset, folder / "weights", max_epochs=15))


def predict(folder: Path, videos: list[MovingShape]) -> list[Any]:
    own = {"when": TrainedWeights("detection", folder, "v1-0a1b2c3d")}
    config = LabelConfig.parse(label_config())
    tasks = [
        {"id": number, "data": {"video": address_of(video.data)}}
        for number, video in enumerate(videos)
    ]
    with changed_environment(ENVIRONMENT):
        [plan] = runtime.runtime().planner.plan_all(config, [DetectionBackend], (), own)
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


def test_each_epoch_is_reported(trained: Trained) -> None:
    numbers = [epoch.number for epoch in trained.epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {epoch.of for epoch in trained.epochs} == {15}
    first, last = trained.epochs[0].figures, trained.epochs[-1].figures
    assert set(first) == {"loss", "val_loss", "f1", "accuracy"}
    assert last["loss"] < first["loss"] / 2
    assert last["f1"] > 0.7


def test_what_is_written_is_the_network_and_its_description_alone(trained: Trained) -> None:
    folder = trained.run.output
    assert {path.name for path in folder.iterdir()} == {DESCRIPTION_FILE, WEIGHTS_FILE}
    assert {path.name for path in folder.parent.iterdir()} == {"weights"}, "no features are left"
    found = read_description(folder)
    assert (found.labels, found.frame_step) == (LABELS, 2)
    assert (found.source.model, found.source.image_size) == ("starter", 128)


def test_training_goes_on_from_the_version_that_serves(tiny_dataset: Path, tmp_path: Path) -> None:
    first = train(make_run(tiny_dataset, tmp_path / "v1" / "weights", max_epochs=8))
    run = make_run(tiny_dataset, tmp_path / "v2" / "weights", max_epochs=1)
    again = train(replace(run, base=first.run.output))
    assert again.epochs[0].figures["loss"] < first.epochs[0].figures["loss"] / 2
    own, base = (load_timeline(folder)[1] for folder in (run.output, first.run.output))
    assert own.cells.components.equal(base.cells.components)


def test_training_begins_anew_with_other_options(
    trained: Trained, tiny_dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    attributes = 'model_classifier_hidden_size="8" model_classifier_num_layers="2"'
    run = make_run(tiny_dataset, tmp_path / "v2" / "weights", attributes, max_epochs=1)
    with caplog.at_level(logging.INFO):
        train(replace(run, base=trained.run.output))
    assert "begins anew, as labels or options have changed" in caplog.text
    assert read_description(run.output).size == (16, 8, 2)


@pytest.fixture(scope="module")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 8 frames, shorter than a sequence; there is none for validation."""
    folder = tmp_path_factory.mktemp("tiny")
    videos = []
    for level in (30, 160):
        frames = [np.full((64, 64, 3), level + 40 * (n >= 4), np.uint8) for n in range(8)]
        held = np.zeros((2, 8), bool)
        held[0, 4:] = True
        videos.append(MovingShape(encode_video(frames, "mp4"), held))
    return write_dataset(folder, {"train": videos})


def test_the_same_seed_gives_the_same_network(tiny_dataset: Path, tmp_path: Path) -> None:
    states = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = make_run(tiny_dataset, tmp_path / name / "weights", max_epochs=2, seed=seed)
        states.append(load_timeline(train(run).run.output)[1].streams[0].classify.weight)
    assert states[0].equal(states[1])
    assert not states[0].equal(states[2])


def test_a_label_without_frames_is_left_out(
    tiny_dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tiny_dataset, tmp_path / "v1" / "weights", max_epochs=1)
    train(run)
    assert read_description(run.output).labels == ("Left",)
    assert 'has the label "Right": it cannot be predicted' in caplog.text
    assert "there are no validation videos" in caplog.text


def test_training_ends_when_there_is_no_time_left(tiny_dataset: Path, tmp_path: Path) -> None:
    run = make_run(tiny_dataset, tmp_path / "v1" / "weights")
    seen: list[int] = []

    def stop_after_two(epoch: int, epochs: int, figures: dict[str, float]) -> bool:
        seen.append(epoch)
        return epoch < 2

    call_trainer(replace(run, on_epoch=stop_after_two))
    assert seen == [1, 2]
    assert (run.output / WEIGHTS_FILE).is_file()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param([], "no video of the dataset can be read", id="no-videos"),
        pytest.param([{"spans": []}], "no frame of the 1 training videos has", id="no-spans"),
        pytest.param([{"video": "videos/gone.mp4"}], "no video of the dataset", id="gone"),
        pytest.param([{"video": None}], "holds no videos", id="other-format"),
    ],
)
def test_what_cannot_be_learned_from_is_named(
    lines: list[dict[str, Any]], message: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    [known, _] = map(orjson.loads, (tiny_dataset / "train.jsonl").read_bytes().splitlines())
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    (dataset / "videos").symlink_to(tiny_dataset / "videos")
    written = [{k: v for k, v in {**known, **line}.items() if v is not None} for line in lines]
    (dataset / "train.jsonl").write_bytes(b"\n".join(map(orjson.dumps, written)))
    with pytest.raises(TrainingError, match=f'TimelineLabels "when": .*{message}'):
        train(make_run(dataset, tmp_path / "v1" / "weights"))


def test_a_damaged_video_costs_only_itself(
    tiny_dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (tiny_dataset / "train.jsonl").read_bytes()
    dataset = tmp_path / "dataset"
    (dataset / "videos").mkdir(parents=True)
    for number, file in enumerate((tiny_dataset / "videos").iterdir()):
        data = file.read_bytes()
        (dataset / "videos" / file.name).write_bytes(data if number else data[:40])
    (dataset / "train.jsonl").write_bytes(lines)
    run = make_run(dataset, tmp_path / "v1" / "weights", max_epochs=1)
    train(run)
    assert "the video is left out of the training" in caplog.text
    assert (run.output / WEIGHTS_FILE).is_file()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        pytest.param(DESCRIPTION_FILE, b"{", "timeline.json of .* cannot be read", id="half"),
        pytest.param(WEIGHTS_FILE, b"no", "network.safetensors of .* cannot", id="weights"),
    ],
)
def test_broken_files_are_named(
    file: str, content: bytes, message: str, trained: Trained, tmp_path: Path
) -> None:
    for path in trained.run.output.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_timeline(tmp_path)


def test_other_weights_of_the_features_are_noticed(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in trained.run.output.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    written = orjson.loads((tmp_path / DESCRIPTION_FILE).read_bytes())
    written["source"]["digest"] = "0" * 64
    (tmp_path / DESCRIPTION_FILE).write_bytes(orjson.dumps(written))
    assert predict(tmp_path, [draw_moving_shape(90)]) == [[]]
    assert "train it again" in caplog.text


# Attributes, and frames


def options_of(attributes: str) -> TimelineOptions:
    control = LabelConfig.parse(label_config(attributes)).find_control("when")
    assert control is not None
    return TimelineOptions.of_control(control)


def test_attributes_have_the_names_of_the_official_example() -> None:
    found = options_of(
        'model_classifier_epochs="7" model_classifier_sequence_size="20"'
        ' model_classifier_hidden_size="24" model_classifier_num_layers="2"'
        ' model_classifier_f1_threshold="0.9" model_classifier_accuracy_threshold="0.95"'
        ' model_score_threshold="0.6"'
    )
    assert found.size == (20, 24, 2)
    assert (found.epochs, found.f1_threshold, found.accuracy_threshold) == (7, 0.9, 0.95)
    assert (found.score_threshold, found.frame_step) == (0.6, 2)
    assert not options_of("").is_reached(1.0, 1.0)
    assert not found.is_reached(0.89, 0.94)
    assert found.is_reached(0.9, 0)
    assert found.is_reached(0, 0.95)


@pytest.mark.parametrize(
    "attribute",
    ['epochs="0"', 'sequence_size="1"', 'hidden_size="x"', 'f1_threshold="1.5"'],
)
def test_an_invalid_attribute_is_named(attribute: str) -> None:
    with pytest.raises(ConfigError, match="model_classifier_" + attribute.partition("=")[0]):
        options_of("model_classifier_" + attribute)


@pytest.mark.parametrize(
    ("attributes", "obstacle"),
    [
        ("", None),
        ('model_trainable="true"', None),
        ('model_trainable="false"', 'TimelineLabels "when": model_trainable="false"'),
    ],
)
def test_a_tag_is_trained_unless_it_says_no(attributes: str, obstacle: str | None) -> None:
    backend = DetectionBackend(label_config=label_config(attributes), served=True)
    [claim] = backend.claim(backend.config)
    assert backend.dataset_format_for(claim) == "video"
    found = backend.training_obstacle(claim)
    assert found is None if obstacle is None else (found or "").startswith(obstacle)


@pytest.mark.parametrize(
    ("rate", "held"),
    [
        # 8 frames of a file at 25 a second. The editor's frames 2 to 4 (from 0, end exclusive)
        # begin at 2 / rate seconds and end at 4 / rate: 0.08 to 0.16 s are the file's 2 and 3,
        pytest.param(25, [2, 3], id="the-rate-of-the-file"),
        # 0.16 to 0.32 s are the file's 4 to 7,
        pytest.param(12.5, [4, 5, 6, 7], id="half"),
        # and 0.04 to 0.08 s is the file's 1.
        pytest.param(50, [1], id="twice"),
    ],
)
def test_spans_count_as_the_editor_does(rate: float, held: list[int], tiny_dataset: Path) -> None:
    path = next((tiny_dataset / "videos").iterdir())
    spans = [{"start": 2, "end": 4, "labels": {"when": ["Left", "Gone"], "other": ["Right"]}}]
    video = LabelledVideo("task 1", path, rate, spans)
    file = video.open(LIMITS)
    times = [frame.time for frame in file.frames()]
    found = video.labels_at(file, times, "when", LABELS)
    assert np.flatnonzero(found[:, 0]).tolist() == held
    assert not found[:, 1].any(), "the label is another control tag's"

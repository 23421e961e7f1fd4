"""`prelabel new --trainable`: a backend that learns labels from annotations."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.backend.base import Backend
from shared.backend.claim import ModelSpec
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.cli.demo.training_data import messages
from shared.cli.scaffold.create import create_backend, import_backend
from shared.cli.scaffold.files import Scaffold
from shared.cli.scaffold.tag_pairs import PAIRS, TRAINABLE
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime, standalone
from shared.testing import Conformance

from ..documents.add_a_backend import run_python
from ..evaluation.dataset.building import build, data_url, noise, task
from .conftest import REPO, Command

CHOICES = "".join(f'<Choice value="{label}"/>' for label in messages.LABELS)
TRAINED_COUNT, TEST_COUNT = 60, 30

Created = dict[str, type[Backend]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainable")


@pytest.fixture(scope="module")
def created(root: Path) -> Iterator[Created]:
    """A trainable backend for each object tag, each a package of its own below `root`."""
    made = {}
    for control, target in TRAINABLE:
        scaffold = Scaffold(
            f"trainable_{target.lower()}", control, target, f"trainable_{target.lower()}",
            trainable=True,
        )  # fmt: skip
        create_backend(scaffold, root)
        made[target] = import_backend(scaffold, root)
    yield made
    sys.path.remove(str(root))


def label_config(target: str) -> str:
    tag = PAIRS["Choices", target].objects
    return f'<View>{tag}<Choices name="topic" toName="{target.lower()}">{CHOICES}</Choices></View>'


def make_task(target: str, seed: int) -> dict[str, Any]:
    """Return a task whose class can be told: by the words, or by the main colour."""
    message = messages.write_message(seed)
    if target == "Image":
        pixels = noise(seed)
        pixels[:, :, messages.LABELS.index(message.label)] += np.uint8(120)
        value: Any = data_url(pixels)
    elif target == "Paragraphs":
        value = [{"author": "Ann", "text": line} for line in message.text.splitlines()]
    else:
        value = f"<p>{message.text}</p>" if target == "HyperText" else message.text
    results = [result | {"to_name": target.lower()} for result in message.results()]
    return task(seed, {target.lower(): value}, results)


def training_run(folder: Path, target: str, **more: Any) -> TrainingRun:
    """Build the dataset of the annotated tasks, as the server does."""
    raws = [make_task(target, seed) for seed in range(TRAINED_COUNT)]
    raws = more.pop("raws", raws)
    built = build(folder, label_config(target), raws, "jsonl", split=(0.8, 0.2))
    config = LabelConfig.parse(label_config(target))
    output = folder / "weights"
    output.mkdir()
    return TrainingRun(
        config, config.controls[0], messages.LABELS, built.folder, None, output, **more
    )


def predicted_labels(backend: type[Backend], target: str, run: TrainingRun) -> list[str]:
    """Predict unseen tasks with what the run has left, as the server does."""
    raws = [make_task(target, seed) for seed in range(1000, 1000 + TEST_COUNT)]
    own = TrainedWeights(backend.name, run.output, "v1-1a2b3c4d")
    runtime.reset_runtime()
    loaded = backend(label_config=label_config(target), served=True, trained_weights={"topic": own})
    answers = standalone.predict(loaded, [{"id": raw["id"], "data": raw["data"]} for raw in raws])
    assert {answer["model_version"].rsplit("-", 1)[0] for answer in answers} == {
        f"{backend.name}-v1-1a2b3c4d"
    }
    return [
        answer["result"][0]["value"]["choices"][0] if answer["result"] else "" for answer in answers
    ]


@pytest.mark.parametrize("target", [target for _, target in TRAINABLE])
def test_it_learns_labels_from_annotations(target: str, created: Created, tmp_path: Path) -> None:
    backend = created[target]
    epochs = []
    run = training_run(tmp_path, target, on_epoch=lambda *epoch: not epochs.append(epoch))
    backend().train(run)
    assert [epoch[:2] for epoch in epochs] == [(number, 100) for number in range(1, 101)]
    losses = [metrics["loss"] for _, _, metrics in epochs]
    assert losses[0] == pytest.approx(math.log(3)), "three labels that are equally likely"
    assert losses[-1] < losses[0] / 4
    assert [file.name for file in run.output.iterdir()] == ["model.npz"]
    found = predicted_labels(backend, target, run)
    expected = [messages.write_message(seed).label for seed in range(1000, 1000 + TEST_COUNT)]
    right = sum(map(str.__eq__, found, expected))
    assert right >= 0.8 * TEST_COUNT


@pytest.mark.parametrize(
    ("seeds", "message"),
    [([0, 3, 6], "needs examples of two labels; there are: Billing"), ([], "there are: none")],
    ids=["one label", "no label"],
)
def test_what_is_missing_is_said(
    seeds: list[int], message: str, created: Created, tmp_path: Path
) -> None:
    raws = [make_task("Text", seed) for seed in seeds] or [
        {"id": 1, "data": {"text": "Hi"}, "annotations": [{"id": 1, "result": []}]}
    ]
    run = training_run(tmp_path, "Text", raws=raws)
    with pytest.raises(TrainingError, match=message):
        created["Text"]().train(run)
    assert list(run.output.iterdir()) == []


def test_it_ends_early_when_the_time_is_over(created: Created, tmp_path: Path) -> None:
    epochs: list[int] = []
    run = training_run(
        tmp_path, "Text", max_epochs=10, on_epoch=lambda *one: epochs.append(one[0]) or one[0] < 3
    )
    created["Text"]().train(run)
    assert epochs == [1, 2, 3]
    assert (run.output / "model.npz").exists()


@pytest.mark.parametrize("target", [target for _, target in TRAINABLE])
def test_it_conforms_before_it_is_trained(target: str, created: Created) -> None:
    tests = type("Tests", (Conformance,), {"backend": created[target]})()
    for name in [name for name in dir(tests) if name.startswith("test_")]:
        getattr(tests, name)()


def test_weights_are_never_unpickled(created: Created, tmp_path: Path) -> None:
    labels = np.array([{"a": 1}], object)
    np.savez(tmp_path / "model.npz", labels=labels, weights=np.zeros((1, 1024)))
    spec = ModelSpec("trainable_text", str(tmp_path), trained_version="v1-1a2b3c4d")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        created["Text"]().load(spec)


@pytest.mark.slow
def test_new_code_is_in_style_and_typed(created: Created, root: Path) -> None:
    (root / "pyproject.toml").write_bytes((REPO / "pyproject.toml").read_bytes())
    names = [backend.name for backend in created.values()]
    for words in (
        ["ruff", "check", *names],
        ["ruff", "format", "--check", *names],
        ["mypy", "--strict", "--config-file", "pyproject.toml", *names],
    ):
        run_python(root, "-m", *words)


def test_the_command_makes_one(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = ["--control", "Choices", "--object", "Text", "--trainable", "--into", tmp_path / "own"]
    ran = prelabel("new", "learner", *words)
    assert ran.status == 0, ran.err
    assert "trained_model.py" in ran.out
    assert "Start Training" in (tmp_path / "own" / "learner" / "README.md").read_text()


def test_pairs_without_a_stand_in_are_refused(prelabel: Command, tmp_path: Path) -> None:
    words = ["--control", "Labels", "--object", "Text", "--trainable", "--into", tmp_path / "own"]
    ran = prelabel("new", "learner", *words)
    assert ran.status == 2
    assert "no stand-in for Labels on Text; it has those for Choices on Text," in ran.err
    assert not (tmp_path / "own").exists()

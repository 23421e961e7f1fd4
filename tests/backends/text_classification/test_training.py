"""A text classifier learns from annotated messages, and serves by the backend's own way."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")

from backends.text_classification import TextClassificationBackend
from shared.backend.training import TrainedWeights
from shared.cli.demo.training_data.messages import LABEL_CONFIG
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.settings import read_settings

from .annotated import messages, run_on, write_dataset


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> TextClassificationBackend:
    """The backend with the starter, on PyTorch."""
    settings = {"TEXT_CLASSIFICATION_MODEL": "starter", "ENGINE": "torch", "DEVICE": "cpu"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    read_settings.cache_clear()
    return TextClassificationBackend(label_config=LABEL_CONFIG, served=True)


def predict(folder: Path, texts: list[str], xml: str = LABEL_CONFIG) -> list[Any]:
    """Return the choices that a project's own weights make, with their score."""
    own = TrainedWeights("text_classification", folder, "v1-0a1b2c3d")
    name = LabelConfig.parse(xml).controls[0].name
    weights = {name: own}
    backend = TextClassificationBackend(label_config=xml, served=True, trained_weights=weights)
    plan = runtime().planner.plan(backend.config, [backend], [backend.name])
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    answers = [outcome.to_response() for outcome in runtime().pipeline.run(plan, tasks)]
    assert answers[0]["model_version"].startswith("text_classification-v1-0a1b2c3d-")
    return [
        [(choice, one["score"]) for one in answer["result"] for choice in one["value"]["choices"]]
        for answer in answers
    ]


def test_classes_that_the_starter_does_not_know_are_learnt(
    backend: TextClassificationBackend, tmp_path: Path
) -> None:
    epochs: list[Any] = []

    def note(*epoch: Any) -> bool:
        epochs.append(epoch)
        return True

    run = run_on(write_dataset(tmp_path, messages(60)), tmp_path / "out", on_epoch=note)
    backend.train(run)
    [(epoch, of, metrics)] = epochs
    assert (epoch, of) == (1, 1)
    assert set(metrics) == {"loss", "accuracy", "validation_loss"}
    assert {path.name for path in run.output.iterdir()} == {
        *("config.json", "model.safetensors", "pieces.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    unseen = messages(100, 10_000)
    found = predict(run.output, [one.text for one in unseen])
    right = sum(
        answer[:1] != [] and answer[0][0] == one.label
        for one, answer in zip(unseen, found, strict=True)
    )
    assert right >= 90

"""A token classifier learns from annotated sentences, and serves by the backend's own way."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate")

from backends.ner import NerBackend
from shared.backend.training import TrainedWeights
from shared.cli.demo.training_data.sentences import LABEL_CONFIG
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.settings import read_settings

from .annotated import run_on, sentences, write_dataset


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> NerBackend:
    """The backend with the starter, on PyTorch."""
    for name, value in {"NER_MODEL": "starter", "ENGINE": "torch", "DEVICE": "cpu"}.items():
        monkeypatch.setenv(name, value)
    read_settings.cache_clear()
    return NerBackend(label_config=LABEL_CONFIG, served=True)


def predict(folder: Path, texts: list[str], xml: str = LABEL_CONFIG) -> list[Any]:
    """Return the spans that a project's own weights find."""
    own = TrainedWeights("ner", folder, "v1-0a1b2c3d")
    name = LabelConfig.parse(xml).controls[0].name
    backend = NerBackend(label_config=xml, served=True, trained_weights={name: own})
    plan = runtime().planner.plan(backend.config, [backend], ["ner"])
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    answers = [outcome.to_response() for outcome in runtime().pipeline.run(plan, tasks)]
    assert {answer["model_version"].rsplit("-", 1)[0] for answer in answers} == {"ner-v1-0a1b2c3d"}
    return [
        [
            (one["value"]["start"], one["value"]["end"], one["value"]["labels"][0])
            for one in answer["result"]
        ]
        for answer in answers
    ]


def f1(expected: list[Any], found: list[Any]) -> float:
    hits = sum(len(set(one) & set(other)) for one, other in zip(expected, found, strict=True))
    return 2 * hits / sum(len(one) + len(other) for one, other in zip(expected, found, strict=True))


def test_labels_that_the_starter_does_not_know_are_learnt(
    backend: NerBackend, tmp_path: Path
) -> None:
    epochs: list[tuple[int, int, dict[str, float]]] = []

    def note(epoch: int, of: int, metrics: dict[str, float]) -> bool:
        epochs.append((epoch, of, metrics))
        return metrics["f1"] < 0.97

    dataset = write_dataset(tmp_path, sentences(120))
    run = run_on(dataset, tmp_path / "out", on_epoch=note, threads=2)
    backend.train(run)
    assert [epoch for epoch, _, _ in epochs] == list(range(1, len(epochs) + 1))
    assert {of for _, of, _ in epochs} == {30}
    assert set(epochs[0][2]) == {"loss", "f1", "precision", "recall", "validation_loss"}
    assert epochs[-1][2]["loss"] < epochs[0][2]["loss"]
    assert {path.name for path in run.output.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    }
    unseen = sentences(30, 10_000)
    found = predict(run.output, [one.text for one in unseen])
    assert f1([list(one.spans) for one in unseen], found) > 0.9

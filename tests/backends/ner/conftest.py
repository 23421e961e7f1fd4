"""The starter, loaded once, and predictions of the NER backend for any label config."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from backends._transformers.model_source import ModelSource
from backends.ner import NerBackend
from backends.ner.token_classifier import TokenClassifier
from shared.backend.training import TrainingRun
from shared.pipeline.runtime import runtime
from shared.settings import Settings, read_settings

STARTER = Path(__file__).parents[3] / "backends" / "ner" / "starter" / "weights"
Predict = Callable[..., list[Any]]
Epochs = list[tuple[int, int, dict[str, float]]]
Make = Callable[..., NerBackend]
Train = Callable[..., Epochs]


@pytest.fixture(scope="session")
def classifier() -> TokenClassifier:
    """The starter on PyTorch, the reference."""
    source = ModelSource("AutoModelForTokenClassification", STARTER, Path("unused"))
    return TokenClassifier.load(source, Settings(engine="torch", device="cpu"))


@pytest.fixture
def predict(classifier: TokenClassifier, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """Predict tasks with the given data under a label config."""
    monkeypatch.setenv("NER_MODEL", "starter")
    monkeypatch.setattr(NerBackend, "load", lambda self, spec: classifier)

    def answers(xml: str, *data: Any, context: Any = None) -> list[Any]:
        read_settings.cache_clear()
        backend = NerBackend(label_config=xml, served=True)
        route = runtime().planner.plan(backend.config, [backend], ["ner"])
        assert route.steps, route.problems
        tasks = [{"id": index, "data": one} for index, one in enumerate(data)]
        outcomes = runtime().pipeline.run(route, tasks, context)
        return [outcome.to_response(interactive=context is not None) for outcome in outcomes]

    return answers


@pytest.fixture
def train(make: Make) -> Train:
    """Train, and return what was reported of each epoch; `until` ends it.

    The backend is that of the module's own fixture `make`.
    """

    def trained(run: TrainingRun, until: Callable[[Any], bool] = lambda _: False) -> Epochs:
        epochs: Epochs = []

        def note(epoch: int, of: int, metrics: dict[str, float]) -> bool:
            epochs.append((epoch, of, metrics))
            return not until(metrics)

        make(run.config.xml).train(replace(run, on_epoch=note))
        return epochs

    return trained

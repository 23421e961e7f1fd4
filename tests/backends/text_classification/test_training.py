"""A text classifier learns from annotated texts, and serves by the backend's own way."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from backends._transformers.calibration import fit_temperature, log_loss
from backends._transformers.fine_tuning import (
    BestEpoch,
    TrackerSettings,
    count_epochs,
    memory_errors,
)
from backends.text_classification import TextClassificationBackend
from backends.text_classification.classified_texts import judge
from backends.text_classification.linear_head import HeadFitter, TextFeatures
from shared.backend.training import TrainedWeights, TrainingError, TrainingMemoryError, TrainingRun
from shared.cli.demo.training_data.messages import LABEL_CONFIG, LABELS
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import reset_runtime, runtime
from shared.settings import read_settings
from tests.evaluation.dataset.building import build, task

from .annotated import messages, run_on, write_dataset

NAME = "text_classification"
Make = Callable[..., TextClassificationBackend]
MULTIPLE = LABEL_CONFIG.replace('toName="text"', 'toName="text" choice="multiple"')
TREE = """<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text">
<Choice value="Shop"><Choice value="Billing"/><Choice value="Delivery"/></Choice>
<Choice value="Defect"/></Taxonomy></View>"""


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make the backend with the starter on PyTorch, and further settings."""

    def backend(xml: str = LABEL_CONFIG, **settings: str) -> TextClassificationBackend:
        usual = {"TEXT_CLASSIFICATION_MODEL": "starter", "ENGINE": "torch", "DEVICE": "cpu"}
        for name, value in {**usual, **settings}.items():
            monkeypatch.setenv(name, value)
        read_settings.cache_clear()
        return TextClassificationBackend(label_config=xml, served=True)

    return backend


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of 60 annotated messages."""
    return write_dataset(tmp_path_factory.mktemp("messages"), messages(60))


def trained(backend: TextClassificationBackend, run: TrainingRun) -> list[Any]:
    """Train, and return what was reported of each epoch."""
    epochs: list[Any] = []

    def note(*epoch: Any) -> bool:
        epochs.append(epoch)
        return True

    backend.train(replace(run, on_epoch=note))
    return epochs


def predict(folder: Path, texts: list[str], xml: str = LABEL_CONFIG) -> list[Any]:
    """Return the value and the score that a project's own weights give for each text, if any."""
    control = LabelConfig.parse(xml).controls[0]
    own = {control.name: TrainedWeights(NAME, folder, "v1-0a1b2c3d")}
    backend = TextClassificationBackend(label_config=xml, served=True, trained_weights=own)
    plan = runtime().planner.plan(backend.config, [backend], [NAME])
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    answers = [outcome.to_response() for outcome in runtime().pipeline.run(plan, tasks)]
    assert answers[0]["model_version"].startswith("text_classification-v1-0a1b2c3d-")
    found = [answer["result"][:1] for answer in answers]
    return [
        (one[0]["value"][control.tag.lower()], one[0]["score"]) if one else None for one in found
    ]


def share_right(found: list[Any], expected: list[Any]) -> float:
    right = [one and one[0] == other for one, other in zip(found, expected, strict=True)]
    return sum(map(bool, right)) / len(right)


def test_classes_that_the_starter_does_not_know_are_learnt(
    make: Make, dataset: Path, tmp_path: Path
) -> None:
    run = run_on(dataset, tmp_path / "out")
    [(epoch, of, metrics)] = trained(make(), run)
    assert (epoch, of) == (1, 1)
    assert set(metrics) == {"loss", "accuracy", "validation_loss"}
    assert {path.name for path in run.output.iterdir()} == {
        *("config.json", "model.safetensors", "pieces.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "trainer.json"),
    }
    unseen = messages(100, 10_000)
    found = predict(run.output, [one.text for one in unseen])
    assert share_right(found, [[one.label] for one in unseen]) >= 0.9
    # Scores are what they promise: a mean of 0.9 of them, if nine of ten are right.
    scores = [one[1] for one in found if one]
    assert 0.75 < sum(scores) / len(scores) < 0.99


def test_converted_network_gives_the_same(make: Make, dataset: Path, tmp_path: Path) -> None:
    backend = make()
    run = run_on(dataset, tmp_path / "out")
    backend.train(run)
    texts = [one.text for one in messages(20, 10_000)]
    plain = predict(run.output, texts)
    make(ENGINE="openvino", CACHE_DIR=str(tmp_path / "cache"))
    reset_runtime()
    converted = predict(run.output, texts)
    reset_runtime()
    assert list((tmp_path / "cache" / "openvino").iterdir())
    assert [one[0] for one in converted] == [one[0] for one in plain]
    assert [one[1] for one in converted] == pytest.approx([one[1] for one in plain], abs=0.02)


def test_whole_network_is_trained(make: Make, tmp_path: Path) -> None:
    shown = messages(90)
    dataset = write_dataset(tmp_path, shown, (0.7, 0.3))
    run = run_on(dataset, tmp_path / "out", max_epochs=3)
    epochs = trained(make(TEXT_CLASSIFICATION_TRAIN="full"), run)
    assert [epoch for epoch, _, _ in epochs] == [1, 2, 3]
    assert set(epochs[0][2]) == {"loss", "accuracy", "validation_loss"}
    assert not (run.output / "pieces.safetensors").exists()
    config = json.loads((run.output / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert list(config["id2label"].values()) == list(LABELS)
    found = predict(run.output, [one.text for one in shown[:5]])
    assert {one[0][0] for one in found if one} <= set(LABELS)


def test_of_many_texts_the_better_training_is_kept(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.text_classification.training.FULL_TEXTS", 40)
    run = run_on(write_dataset(tmp_path, messages(60)), tmp_path / "out", max_epochs=1)
    trained(make(), run)
    # After one epoch the whole network knows less than the linear head.
    assert json.loads((run.output / "trainer.json").read_text())["method"] == "linear"
    assert not (run.output / "linear").exists()


def test_several_choices_are_decided_one_by_one(make: Make, tmp_path: Path) -> None:
    shown = messages(60)
    raws = []
    for number, (one, other) in enumerate(pairwise(shown), 1):
        labels = [one.label, other.label] if number % 2 else [one.label]
        text = f"{one.text}\n{other.text}" if number % 2 else one.text
        [result] = one.results()
        given = {**result, "value": {"choices": labels}}
        raws.append(task(number, {"text": text}, [given] if number % 10 else []))
    dataset = build(tmp_path, MULTIPLE, raws, "jsonl", split=(0.85, 0.15)).folder
    run = run_on(dataset, tmp_path / "out", MULTIPLE)
    [(_, _, metrics)] = trained(make(MULTIPLE), run)
    assert set(metrics) == {"loss", "f1", "validation_loss"}
    both = f"{messages(1, 10_000)[0].text}\n{messages(1, 10_001)[0].text}"
    [(choices, _)] = predict(run.output, [both], MULTIPLE)
    assert set(choices) <= set(LABELS)
    config = json.loads((run.output / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"


def test_paths_of_a_taxonomy_are_learnt(make: Make, tmp_path: Path) -> None:
    paths = {"Billing": ["Shop", "Billing"], "Delivery": ["Shop", "Delivery"], "Defect": ["Defect"]}
    raws = [
        task(
            number, {"text": one.text},
            [{**one.results()[0], "type": "taxonomy", "value": {"taxonomy": [paths[one.label]]}}],
        )
        for number, one in enumerate(messages(60), 1)
    ]  # fmt: skip
    dataset = build(tmp_path, TREE, raws, "jsonl", split=(0.85, 0.15)).folder
    config = LabelConfig.parse(TREE)
    (tmp_path / "out").mkdir()
    labels = ("Shop/Billing", "Shop/Delivery", "Defect")
    run = TrainingRun(config, config.controls[0], labels, dataset, None, tmp_path / "out")
    trained(make(TREE), run)
    unseen = messages(30, 10_000)
    found = predict(run.output, [one.text for one in unseen], TREE)
    assert share_right(found, [[paths[one.label]] for one in unseen]) > 0.7


def test_names_of_entailment_do_not_make_a_zero_shot_model(make: Make, tmp_path: Path) -> None:
    names = {"Billing": "entailment", "Delivery": "contradiction", "Defect": "neutral"}
    xml = LABEL_CONFIG
    for label, name in names.items():
        xml = xml.replace(label, name)
    raws = [
        task(
            number, {"text": one.text},
            [{**one.results()[0], "value": {"choices": [names[one.label]]}}],
        )
        for number, one in enumerate(messages(60), 1)
    ]  # fmt: skip
    dataset = build(tmp_path, xml, raws, "jsonl", split=(0.8, 0.2)).folder
    run = run_on(dataset, tmp_path / "out", xml, labels=tuple(names.values()))
    trained(make(xml), run)
    found = predict(run.output, [one.text for one in messages(60)], xml)
    assert share_right(found, [[names[one.label]] for one in messages(60)]) > 0.8


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:1], None),
        (("Nobody", "Nothing"), "two classes are needed, and the texts to learn from have none"),
        ((LABELS[0], "Nothing"), "two classes are needed, .* have Billing"),
    ],
    ids=["one label is yes or no", "no class", "one class"],
)
def test_too_few_classes(
    labels: tuple[str, ...], message: str | None, make: Make, dataset: Path, tmp_path: Path
) -> None:
    run = run_on(dataset, tmp_path / "out", labels=labels)
    if message is None:
        assert trained(make(), run)
        return
    with pytest.raises(TrainingError, match=message):
        trained(make(), run)


def test_without_a_model_nothing_is_filled_until_one_is_trained(
    make: Make, dataset: Path, tmp_path: Path
) -> None:
    settings = {"TEXT_CLASSIFICATION_MODEL": "", "TEXT_CLASSIFICATION_TRAIN_BASE": "starter"}
    backend = make(**settings)
    plan = runtime().planner.plan(backend.config, [backend], [NAME])
    [outcome] = runtime().pipeline.run(plan, [{"id": 1, "data": {"text": "My card"}}])
    assert outcome.to_response()["result"] == []
    [claim] = plan.steps[0].claims
    said = 'Choices "topic" is filled by no model until one has been trained'
    assert said in claim.mapping_report()
    assert backend.training_obstacle(claim) is None
    run = run_on(dataset, tmp_path / "out")
    trained(backend, run)
    unseen = messages(20, 10_000)
    found = predict(run.output, [one.text for one in unseen])
    assert share_right(found, [[one.label] for one in unseen]) > 0.7


def test_head_for_classes_that_few_texts_have() -> None:
    random = np.random.default_rng(0)
    truth = np.array([0] * 20 + [2] * 20)  # none has class 1
    hidden = random.normal(size=(40, 4)).astype(np.float32) + truth[:, None]
    pieces = np.zeros((40, 3), np.float32)
    head, adds = HeadFitter(TextFeatures(hidden, pieces), truth, 3, seed=0).fit()
    assert adds is None  # pieces that no text has do not help
    logits = head.logits(hidden)
    assert logits.shape == (40, 3)
    assert (logits.argmax(axis=1) == truth).mean() > 0.9
    assert set(logits.argmax(axis=1)) == {0, 2}


def test_temperature_makes_scores_right() -> None:
    # Of 100 cases with the logits (4, 0) three of four are right: the score should be 3/4, whose
    # logits differ by log(3) = 1.0986. 4 / 1.0986 = 3.641.
    logits = np.tile(np.array([4.0, 0.0], np.float32), (100, 1))
    truth = np.array([0] * 75 + [1] * 25)
    assert fit_temperature(logits, truth) == pytest.approx(3.641, rel=0.03)
    several = np.full((100, 1), 4.0, np.float32)
    assert fit_temperature(several, 1 - truth[:, None]) == pytest.approx(3.641, rel=0.03)
    assert fit_temperature(logits[:10], truth[:10]) == 1


def test_metrics_of_classes() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], np.float32)
    found = judge(logits, np.array([0, 1, 1]))
    # The log loss of a right case is log(1 + exp(-2)) = 0.1269, of the wrong one 2.1269.
    assert found == {
        "accuracy": pytest.approx(2 / 3),
        "validation_loss": pytest.approx((2 * 0.12693 + 2.12693) / 3, abs=1e-4),
    }
    # Found: 0 and 1 of two texts, which have 0; and 0 and 1. Two hits: F1 = 2 * 2 / (2 + 3).
    several = judge(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[1, 0], [1, 1]]))
    assert several["f1"] == pytest.approx(0.8)
    assert judge(np.empty((0, 2)), np.empty(0, np.int64)) == {}
    assert log_loss(np.zeros((1, 4)), np.array([1])) == pytest.approx(np.log(4))


def test_best_epoch_is_that_of_the_metric_then_of_the_loss() -> None:
    best = BestEpoch("f1", patience=2)
    given = [(0.5, 1.0), (0.6, 2.0), (0.6, 1.95), (0.6, 1.96)]
    kept = [best.add({"f1": f1, "validation_loss": loss}) for f1, loss in given]
    assert kept == [True, True, True, False]
    assert best.is_over  # the loss was a little lower in two epochs: that is not clear
    assert best.add({})


@pytest.mark.parametrize(("rows", "epochs"), [(1, 30), (320, 20), (100_000, 3)])
def test_few_rows_are_seen_more_often(rows: int, epochs: int) -> None:
    assert count_epochs(rows) == epochs  # 400 steps of 16 rows, within 3 and 30 epochs


def test_memory_that_is_short_is_said() -> None:
    import torch

    with pytest.raises(TrainingMemoryError), memory_errors():
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError, match="shape"), memory_errors():
        torch.zeros(2, 3) @ torch.zeros(2, 3)


def test_trackers_are_reported_to_where_they_are_set_and_installed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert TrackerSettings().integrations() == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    if importlib.util.find_spec("mlflow"):
        assert TrackerSettings().integrations() == ["mlflow"]
    else:
        assert TrackerSettings().integrations() == []
        assert "mlflow is not installed" in caplog.text

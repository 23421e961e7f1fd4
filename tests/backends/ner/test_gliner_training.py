"""A tiny GLiNER with random weights learns a project's labels, and serves by the backend's way."""

import hashlib
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate")
pytest.importorskip("gliner")

from backends._transformers.hub import TrainingBase
from backends._transformers.text_dataset import AnnotatedText, LabelledSpan
from backends._transformers.training_base import choose_base
from backends.ner import NerBackend
from backends.ner.backend import ALIASES
from backends.ner.gliner import CONFIG_FILE, GlinerModel
from backends.ner.gliner_examples import ExampleWriter
from backends.ner.gliner_training import types_by_label
from backends.ner.span_metrics import score_spans
from shared.backend import ModelSpec
from shared.backend.training import (
    TrainedWeights,
    TrainingError,
    TrainingMemoryError,
    TrainingRun,
)
from shared.cli.demo.training_data.sentences import LABEL_CONFIG, LABELS, Sentence
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.settings import Settings, read_settings

from .annotated import run_on, write_dataset
from .conftest import Make, Train
from .tiny_gliner import save_tiny_gliner

STARTS = ("Lor", "Met", "Ami", "Zol", "Cef", "Par", "Ome")
ENDS = ("pril", "mab", "zole", "dine", "vir")
EMOJI = "\U0001f600"


def write_sentence(number: int) -> Sentence:
    """Write a sentence with an emoji before its entities, and another one behind."""
    name = STARTS[number % 7] + "a" + ENDS[number % 5]
    amount = f"{number + 2} mg"
    before = f"{EMOJI} Anna takes "
    start = len(before) + len(name) + len(" at ")
    return Sentence(
        f"{before}{name} at {amount} {EMOJI} again.",
        ((len(before), len(before) + len(name), "Medicine"), (start, start + len(amount), "Dose")),
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model `tiny`; the encoder that it was made of is gone."""
    base, models = tmp_path_factory.mktemp("encoder"), tmp_path_factory.mktemp("models")
    save_tiny_gliner(base, models)
    shutil.rmtree(base)
    return models


@pytest.fixture(scope="module")
def model(models: Path) -> GlinerModel:
    return GlinerModel.load(models / "tiny", Settings(device="cpu"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of 40 annotated sentences."""
    return write_dataset(tmp_path_factory.mktemp("dataset"), [*map(write_sentence, range(40))])


@pytest.fixture
def make(models: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make the backend with the tiny model, and further settings."""

    def backend(xml: str = LABEL_CONFIG, **settings: str) -> NerBackend:
        settings = {
            "NER_MODEL": "tiny",
            "MODEL_DIR": str(models),
            "ENGINE": "torch",
            "DEVICE": "cpu",
            **settings,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        read_settings.cache_clear()
        return NerBackend(label_config=xml, served=True)

    return backend


def predict(output: Path, texts: list[str]) -> list[list[tuple[int, int, str]]]:
    """Return the spans that the trained weights find, by the pipeline."""
    weights = {"kind": TrainedWeights("ner", output, "v1-0a1b2c3d")}
    backend = NerBackend(label_config=LABEL_CONFIG, served=True, trained_weights=weights)
    plan = runtime().planner.plan(backend.config, [backend], ["ner"])
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    found = []
    for text, outcome in zip(texts, runtime().pipeline.run(plan, tasks), strict=True):
        answer = outcome.to_response()
        assert answer["model_version"].startswith("ner-v1-0a1b2c3d-")
        values = [result["value"] for result in answer["result"]]
        assert all(one["text"] == text[one["start"] : one["end"]] for one in values)
        found.append([(one["start"], one["end"], one["labels"][0]) for one in values])
    return found


def test_labels_of_a_project_are_learnt(train: Train, dataset: Path, tmp_path: Path) -> None:
    run = run_on(dataset, tmp_path / "out")
    epochs = train(run, until=lambda metrics: metrics["f1"] > 0.9)
    assert [epoch for epoch, _, _ in epochs] == list(range(1, len(epochs) + 1))
    assert {of for _, of, _ in epochs} == {30}
    assert set(epochs[0][2]) == {"loss", "f1", "precision", "recall", "validation_loss"}
    assert epochs[-1][2]["loss"] < 0.5 * epochs[0][2]["loss"]
    assert epochs[-1][2]["f1"] > 0.9
    assert {path.name for path in run.output.iterdir()} == {
        *(CONFIG_FILE, "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        "trainer.json",
    }
    unseen = [write_sentence(number) for number in range(60, 70)]
    found = predict(run.output, [one.text for one in unseen])
    expected = [[LabelledSpan(*span) for span in one.spans] for one in unseen]
    scores = score_spans(expected, [[LabelledSpan(*span) for span in one] for one in found])
    assert scores["f1"] > 0.8

    again = run_on(dataset, tmp_path / "again", base=run.output, max_epochs=1)
    [(_, of, metrics)] = train(again)
    assert of == 1
    assert metrics["f1"] > 0.8  # it goes on from where the first has ended
    assert metrics["loss"] < 0.5 * epochs[0][2]["loss"]


def test_training_ends_when_it_is_told_to(train: Train, dataset: Path, tmp_path: Path) -> None:
    run = run_on(dataset, tmp_path / "out", batch_scale=0.25)
    assert len(train(run, until=lambda _: True)) == 1
    assert (run.output / "model.safetensors").is_file()
    written = json.loads((run.output / "trainer.json").read_text())
    assert (written["library"], written["batch_size"], written["rows_at_once"]) == ("gliner", 16, 4)


def test_what_a_report_raises_passes(make: Make, dataset: Path, tmp_path: Path) -> None:
    def cancel(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        raise TrainingError("the training was cancelled")

    with pytest.raises(TrainingError, match="was cancelled"):
        make().train(run_on(dataset, tmp_path / "out", on_epoch=cancel))


def test_short_memory_is_not_passed_over(
    train: Train, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from gliner.model import BaseGLiNER

    def forward(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(BaseGLiNER, "forward", forward)
    with pytest.raises(TrainingMemoryError):
        train(run_on(dataset, tmp_path / "out"))


def test_one_seed_gives_one_model(train: Train, dataset: Path, tmp_path: Path) -> None:
    hashes = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run = run_on(dataset, tmp_path / name, max_epochs=1, seed=seed)
        train(run)
        hashes.append(hashlib.sha256((run.output / "model.safetensors").read_bytes()).hexdigest())
    assert hashes[0] == hashes[1] != hashes[2]


def test_without_a_validation_part_the_last_epoch_is_kept(train: Train, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path, [*map(write_sentence, range(8))], split=(1.0,))
    (dataset / "val.jsonl").touch()
    run = run_on(dataset, tmp_path / "out", max_epochs=1)
    assert [set(metrics) for _, _, metrics in train(run)] == [{"loss"}]
    assert (run.output / "model.safetensors").is_file()


def test_models_that_tag_words_are_trained(make: Make, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    save_tiny_gliner(tmp_path / "base", tmp_path / "models", span_mode="token_level")
    run = run_on(dataset, tmp_path / "out", max_epochs=3)
    epochs: list[float] = []

    def note(epoch: int, of: int, metrics: dict[str, float]) -> bool:
        epochs.append(metrics["validation_loss"])
        return True

    make(MODEL_DIR=str(tmp_path / "models")).train(replace(run, on_epoch=note))
    assert epochs[-1] < epochs[0]
    trained = GlinerModel.load(run.output, Settings(device="cpu"))
    assert trained.max_span_words is None


def test_without_a_span_there_is_nothing_to_learn(train: Train, tmp_path: Path) -> None:
    texts = [Sentence(f"It rained {number} days.", ()) for number in range(8)]
    dataset = write_dataset(tmp_path, texts)
    with pytest.raises(TrainingError, match="no text of the training part has a span of"):
        train(run_on(dataset, tmp_path / "out"))


@pytest.mark.parametrize(
    ("text", "span", "words", "left_out"),
    [
        pytest.param(f"{EMOJI} in New York", (5, 13), (2, 3), None, id="emoji"),
        pytest.param("in \ud83d Ulm", (5, 8), (2, 2), None, id="lone surrogate"),
        pytest.param("the well-known", (4, 14), (1, 1), None, id="hyphen"),
        pytest.param(
            "the unhappy", (6, 11), (1, 1),
            "begin or end inside of a word: the whole word is learnt", id="inside of a word",
        ),
        pytest.param(
            "a b c d e f", (0, 9), None,
            "have more than 4 words, which the model cannot find", id="too wide",
        ),
        pytest.param("a  b", (1, 3), None, "have no word", id="white space"),
    ],
)  # fmt: skip
def test_spans_are_words(
    text: str, span: Any, words: Any, left_out: str | None, model: GlinerModel
) -> None:
    writer = ExampleWriter(model, {"Place": ["town", "city"]})
    [passage] = writer.split(
        [AnnotatedText(text, [(0, len(text))], [LabelledSpan(*span, "Place")], None)]
    )
    [example] = writer.write([passage])
    named = [(*words, "town"), (*words, "city")] if words else []
    assert example["ner"] == named
    assert dict(writer.left_out) == ({left_out: 1} if left_out else {})


def test_long_texts_are_learnt_in_the_windows_of_inference(model: GlinerModel) -> None:
    text = " ".join(f"w{number}" for number in range(60))  # windows of 24 words
    start = text.index("w50")
    writer = ExampleWriter(model, {"Place": ["place"]})
    spans = [LabelledSpan(0, 2, "Place"), LabelledSpan(start, start + 3, "Place")]
    examples = writer.write(writer.split([AnnotatedText(text, [(0, len(text))], spans, None)]))
    assert all(len(example["tokenized_text"]) <= 24 for example in examples)
    found = {
        example["tokenized_text"][first] for example in examples for first, _, _ in example["ner"]
    }
    assert found == {"w0", "w50"}


def run_for(labels: str, names: tuple[str, ...]) -> TrainingRun:
    xml = f'<View><Labels name="k" toName="t">{labels}</Labels><Text name="t" value="$t"/></View>'
    config = LabelConfig.parse(xml)
    return TrainingRun(config, config.controls[0], names, Path(), None, Path())


def test_each_label_is_learnt_by_the_types_of_its_prompt() -> None:
    labels = '<Label value="Person" predicted_values="human, somebody"/>'
    labels += '<Label value="Town" alias="T"/><Label value="Other"/>'
    run = run_for(labels, ("Person", "T"))
    assert types_by_label(run, ALIASES) == {"Person": ["human", "somebody"], "T": ["Town"]}
    same = run_for(
        '<Label value="A" predicted_values="x"/><Label value="B" predicted_values="x"/>', ("A", "B")
    )
    with pytest.raises(TrainingError, match="cannot be asked for A, B"):
        types_by_label(same, ALIASES)


def test_serving_version_of_another_base_is_not_gone_on_from(tmp_path: Path) -> None:
    configured = TrainingBase(tmp_path / "model", "org/gliner_x")
    assert choose_base(configured, tmp_path, CONFIG_FILE) == configured
    (tmp_path / CONFIG_FILE).write_text('{"prelabel_base": "of another"}')
    assert choose_base(configured, tmp_path, CONFIG_FILE) == configured


def test_only_the_missing_extra_is_an_obstacle(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make()
    [claim] = backend.claim(backend.config)
    assert backend.training_obstacle(claim) is None
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gliner" else find_spec(name)
    )
    assert str(backend.training_obstacle(claim)).startswith("gliner is not installed: install")
    backend = make(NER_TRAIN_BASE="starter")  # an encoder in the place of the model
    assert backend.training_obstacle(claim) is None


def test_trained_weights_are_the_spec_of_their_tag(make: Make, tmp_path: Path) -> None:
    make()
    weights = {"kind": TrainedWeights("ner", tmp_path, "v2-0a1b2c3d")}
    backend = NerBackend(label_config=LABEL_CONFIG, served=True, trained_weights=weights)
    shutil.copy(Path(read_settings(Settings).model_dir) / "tiny" / CONFIG_FILE, tmp_path)
    [claim] = backend.claim(backend.config)
    assert claim.spec == ModelSpec("ner", str(tmp_path), trained_version="v2-0a1b2c3d")
    assert claim.options["prompt"] == LABELS


@pytest.mark.parametrize(
    ("expected", "found", "scores"),
    [
        # 2 of 3 are found, 2 of 4 that were found are right: F1 = 2 * 2 / (3 + 4)
        ([[1, 2], [3]], [[1, 4], [3, 5]], {"f1": 4 / 7, "precision": 0.5, "recall": 2 / 3}),
        ([[]], [[]], {"f1": 0, "precision": 0, "recall": 0}),
    ],
    ids=["some", "none"],
)
def test_whole_spans_count(expected: Any, found: Any, scores: dict[str, float]) -> None:
    sides = (
        [[LabelledSpan(start, start + 2, "A") for start in text] for text in side]
        for side in (expected, found)
    )
    assert score_spans(*sides) == scores

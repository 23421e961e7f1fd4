"""A token classifier learns from annotated spans, and serves by the backend's own way."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate")

from backends._transformers.hub import TrainingBase
from backends._transformers.training_base import choose_base
from backends.ner import NerBackend
from backends.ner.backend import ALIASES
from backends.ner.starter.scores import TAGS
from backends.ner.tagged_passages import TagScheme
from backends.ner.training import match_tags
from shared.backend import ModelSpec
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.cli.demo.training_data.sentences import LABEL_CONFIG
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.settings import read_settings
from tests.evaluation.dataset.building import build, task

from .annotated import run_on, sentences, write_dataset
from .conftest import STARTER, Train


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NerBackend]:
    """Make the backend with the starter on PyTorch, and further settings."""

    def backend(xml: str = LABEL_CONFIG, **settings: str) -> NerBackend:
        settings = {"NER_MODEL": "starter", "ENGINE": "torch", "DEVICE": "cpu", **settings}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        read_settings.cache_clear()
        return NerBackend(label_config=xml, served=True)

    return backend


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of 100 annotated sentences."""
    return write_dataset(tmp_path_factory.mktemp("sentences"), sentences(100))


@pytest.fixture(scope="module")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of 20 annotated sentences."""
    return write_dataset(tmp_path_factory.mktemp("few"), sentences(20))


def predict(folder: Path, xml: str, *data: Any) -> list[Any]:
    """Return the results that a project's own weights give for tasks."""
    name = LabelConfig.parse(xml).controls[0].name
    own = {name: TrainedWeights("ner", folder, "v1-0a1b2c3d")}
    backend = NerBackend(label_config=xml, served=True, trained_weights=own)
    plan = runtime().planner.plan(backend.config, [backend], ["ner"])
    tasks = [{"id": number, "data": one} for number, one in enumerate(data)]
    answers = [outcome.to_response() for outcome in runtime().pipeline.run(plan, tasks)]
    for answer in answers:
        assert answer["model_version"].startswith("ner-v1-0a1b2c3d-")
    return [answer["result"] for answer in answers]


def spans(results: list[Any]) -> list[tuple[int, int, str]]:
    values = [one["value"] for one in results]
    return [(value["start"], value["end"], value["labels"][0]) for value in values]


def f1(expected: list[Any], found: list[Any]) -> float:
    pairs = list(zip(expected, found, strict=True))
    hits = sum(len(set(one) & set(other)) for one, other in pairs)
    return 2 * hits / sum(len(one) + len(other) for one, other in pairs)


def test_labels_that_the_starter_does_not_know_are_learnt(
    train: Train, dataset: Path, tmp_path: Path
) -> None:
    run = run_on(dataset, tmp_path / "out")
    epochs = train(run, until=lambda metrics: metrics["f1"] > 0.95)
    assert [epoch for epoch, _, _ in epochs] == list(range(1, len(epochs) + 1))
    assert {of for _, of, _ in epochs} == {30}
    assert set(epochs[0][2]) == {"loss", "f1", "precision", "recall", "validation_loss"}
    assert epochs[-1][2]["loss"] < epochs[0][2]["loss"]
    assert {path.name for path in run.output.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        "trainer.json",
    }
    unseen = sentences(30, 10_000)
    found = predict(run.output, LABEL_CONFIG, *({"text": one.text} for one in unseen))
    assert f1([list(one.spans) for one in unseen], list(map(spans, found))) > 0.85

    again = run_on(dataset, tmp_path / "again", base=run.output, max_epochs=1)
    [(_, of, metrics)] = train(again)
    assert of == 1
    assert metrics["f1"] > 0.9  # it goes on from where the first has ended


def test_training_ends_when_it_is_told_to(
    train: Train, small_dataset: Path, tmp_path: Path
) -> None:
    run = run_on(small_dataset, tmp_path / "out")
    assert len(train(run, until=lambda _: True)) == 1
    assert (run.output / "model.safetensors").is_file()


def test_what_a_report_raises_passes(
    make: Callable[..., NerBackend], small_dataset: Path, tmp_path: Path
) -> None:
    def cancel(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        raise TrainingError("the training was cancelled")

    with pytest.raises(TrainingError, match="was cancelled"):
        make().train(run_on(small_dataset, tmp_path / "out", on_epoch=cancel))


def test_one_seed_gives_one_model(train: Train, small_dataset: Path, tmp_path: Path) -> None:
    runs = [
        run_on(small_dataset, tmp_path / name, max_epochs=1, seed=seed)
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    for run in runs:
        train(run)
    files = [(run.output / "model.safetensors").read_bytes() for run in runs]
    same, equal, other = (hashlib.sha256(file).hexdigest() for file in files)
    assert same == equal
    assert same != other


def test_without_a_validation_part_the_last_epoch_is_kept(train: Train, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path, sentences(8), split=(1.0,))
    (dataset / "val.jsonl").touch()
    run = run_on(dataset, tmp_path / "out", max_epochs=2)
    assert [set(metrics) for _, _, metrics in train(run)] == [{"loss"}, {"loss"}]
    assert (run.output / "model.safetensors").is_file()


def test_trainer_is_told_what_it_was_done_with(
    train: Train, small_dataset: Path, tmp_path: Path
) -> None:
    run = run_on(small_dataset, tmp_path / "out", max_epochs=1, batch_scale=0.25)
    train(run)
    written = json.loads((run.output / "trainer.json").read_text())
    assert (written["library"], written["encoder"]) == ("transformers", "starter")
    assert (written["batch_size"], written["rows_at_once"]) == (16, 4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(("Nobody",), "no text of the training part has a span of"), (None, "has no part")],
    ids=["no span", "no dataset"],
)
def test_errors_say_what_is_missing(
    labels: Any, message: str, train: Train, small_dataset: Path, tmp_path: Path
) -> None:
    run = run_on(small_dataset if labels else tmp_path, tmp_path / "out")
    with pytest.raises(TrainingError, match=message):
        train(replace(run, labels=labels or run.labels))


HTML = """<View><HyperTextLabels name="h" toName="t"><Label value="Medicine"/></HyperTextLabels>
<HyperText name="t" value="$t"/></View>"""
DIALOGUE = """<View><ParagraphLabels name="p" toName="t"><Label value="Medicine"/></ParagraphLabels>
<Paragraphs name="t" value="$t" layout="dialogue"/></View>"""


def html_task(number: int) -> Any:
    name = f"Lor{chr(97 + number)}pril"
    xpath = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]"}
    offsets = {"globalOffsets": {"start": 10, "end": 10 + len(name)}}
    value = {**xpath, "startOffset": 5, "endOffset": 5 + len(name), **offsets}
    value["hypertextlabels"] = ["Medicine"]
    result = {"id": "x", "type": "hypertextlabels", "from_name": "h", "to_name": "t"}
    html = f"<h1>Notes</h1><p>Take {name} now</p>"
    return task(number, {"t": html}, [{**result, "value": value}])


def dialogue_task(number: int) -> Any:
    name = f"Lor{chr(97 + number)}pril"
    turns = [{"author": "A", "text": "Hello\nyou"}, {"author": "B", "text": f"Take {name} now"}]
    value = {"start": "1", "end": "1", "startOffset": 5, "endOffset": 5 + len(name)}
    value |= {"paragraphlabels": ["Medicine"], "text": name}  # type: ignore[dict-item]
    result = {"id": "x", "type": "paragraphlabels", "from_name": "p", "to_name": "t"}
    return task(number, {"t": turns}, [{**result, "value": value}])


@pytest.mark.parametrize(
    ("xml", "make_task", "unseen"),
    [
        pytest.param(HTML, html_task, "<h1>Notes</h1><p>Take Metopril now</p>", id="html"),
        pytest.param(
            DIALOGUE, dialogue_task, [{"author": "A", "text": "Take Metopril now"}], id="dialogue"
        ),
    ],
)
def test_documents_and_dialogues_are_read_in_their_passages(
    xml: str, make_task: Callable[[int], Any], unseen: Any, train: Train, tmp_path: Path
) -> None:
    built = build(tmp_path, xml, map(make_task, range(16)), "jsonl", split=(0.8, 0.2))
    assert not built.problems or "empty" not in built.problems[0]
    lines = (built.folder / "train.jsonl").read_text().splitlines()
    shown = json.loads(lines[0])["objects"]["t"]
    texts = [shown["text"][start:end] for start, end in shown["passages"]]
    assert [text.split(" ")[0] for text in texts] == [
        *(["Notes"] if xml == HTML else ["Hello\nyou"]),
        "Take",
    ]
    config = LabelConfig.parse(xml)
    output = tmp_path / "out"
    output.mkdir()
    run = TrainingRun(config, config.controls[0], ("Medicine",), built.folder, None, output)
    train(run, until=lambda metrics: metrics["f1"] == 1)
    [results] = predict(output, xml, {"t": unseen})
    assert [one["value"].get("text") for one in results] == ["Metopril"]


def test_known_labels_go_on_from_the_tags_of_the_base() -> None:
    xml = LABEL_CONFIG.replace("Medicine", "Person").replace("Dose", "LOC")
    config = LabelConfig.parse(xml.replace("</Labels>", '<Label value="Drug"/></Labels>'))
    labels = ("Person", "LOC", "Drug")
    run = TrainingRun(config, config.controls[0], labels, Path(), None, Path())
    assert match_tags(TagScheme.of_labels(labels), TAGS, run, ALIASES) == {
        "O": "O",
        "B-Person": "B-PER",
        "I-Person": "I-PER",
        "B-LOC": "B-LOC",
        "I-LOC": "I-LOC",
    }


def test_serving_version_of_another_base_is_not_gone_on_from(tmp_path: Path) -> None:
    configured = TrainingBase(STARTER, "starter")
    assert choose_base(configured, None) == configured
    assert choose_base(configured, tmp_path / "gone") == configured
    (tmp_path / "config.json").write_text('{"prelabel_base": "of another"}')
    assert choose_base(configured, tmp_path) == configured


@pytest.mark.parametrize(
    ("xml", "settings", "obstacle"),
    [
        pytest.param(LABEL_CONFIG, {}, None, id="none"),
        pytest.param(HTML, {}, None, id="html"),
        pytest.param(
            LABEL_CONFIG.replace('toName="text"', 'toName="text" value="$labels"'), {},
            "its labels come with each task, so there are none to learn", id="labels of tasks",
        ),
        pytest.param(
            LABEL_CONFIG, {"NER_MODEL": "org/gliner_x", "NER_TRAIN_BASE": "starter"}, None,
            id="an encoder for a GLiNER model",
        ),
    ],
)  # fmt: skip
def test_obstacles(xml: str, settings: Any, obstacle: str | None, make: Any) -> None:
    backend = make(xml, **settings)
    [claim] = backend.claim(backend.config)
    assert backend.training_obstacle(claim) == obstacle


def test_only_trained_weights_are_loaded_from_their_folder(make: Any, tmp_path: Path) -> None:
    backend = make()
    gone = ModelSpec("ner", str(tmp_path / "gone"), trained_version="v3-0a1b2c3d")
    with pytest.raises(ModelError, match="weights of ner-v3-0a1b2c3d are no longer in TRAIN_DIR"):
        backend.load(gone)
    own = {"kind": TrainedWeights("detection", tmp_path, "v1-0a1b2c3d")}
    other = NerBackend(label_config=LABEL_CONFIG, served=True, trained_weights=own)
    assert other.spec(other.config.controls[0]) == ModelSpec("ner", "starter")

"""What is learned, with a server that answers as the nearest of the examples that it is shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.prompt.learning.learned_prompt import FILE, LearnedPrompt, read_learned
from backends.prompt.learning.training import WORDINGS, PromptTraining, train_prompt
from backends.prompt.models import open_model
from backends.prompt.question import AnsweredTask, TextPart
from backends.prompt.settings import PromptSettings
from shared.backend import ModelSpec, TrainingError, TrainingRun
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.settings import Settings
from tests.evaluation.dataset.building import build
from tests.prompt.fault_server import FaultServer
from tests.training.words import CONFIG, WORDS, text_about, texts

from .nearest import answer_as_nearest, examples_of

LABELS = tuple(WORDS)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as opened:
        opened.answer = answer_as_nearest
        yield opened


@pytest.fixture
def model(server: FaultServer) -> Iterator[Any]:
    settings = PromptSettings(model="any", base_url=server.url, retries=0)
    opened = open_model(ModelSpec("prompt", "any"), settings, Settings(), lambda usage: None)
    yield opened
    opened.close()


def run_for(folder: Path, tasks: list[dict[str, Any]], **more: Any) -> TrainingRun:
    """A training on tasks of which a tenth is for validation."""
    config = LabelConfig.parse(CONFIG)
    built = build(folder, CONFIG, tasks, "jsonl", split=(0.9, 0.1))
    output = folder / "weights"
    output.mkdir()
    return TrainingRun(config, config.controls[0], LABELS, built.folder, None, output, **more)


def test_as_many_examples_as_answer_best(model: Any, server: FaultServer, tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def report(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        seen.append({"epoch": epoch, "epochs": epochs, **metrics})
        return True

    run = run_for(tmp_path, texts(60), on_epoch=report)
    train_prompt(run, model, questions=120, threads=4)
    learned = read_learned(run.output, "v1")
    # without examples a third is right; the two most similar ones have the right one among them
    assert learned.count == 2
    assert learned.wording == ""
    assert len(learned.examples) == len((run.dataset / "train.jsonl").read_text().splitlines())
    assert [(one["epoch"], one["epochs"]) for one in seen] == [(n, 6) for n in range(1, 7)]
    agreements = [one["agreement"] for one in seen]
    assert agreements[0] < 0.5 < agreements[1]
    assert seen[-1]["best"] == max(agreements)
    assert len(server.chats()) == 120
    wordings = [asked.body["messages"][0]["content"] for asked in server.chats()[-20:]]
    assert all(WORDINGS[1] in text for text in wordings)
    assert json.loads((run.output / "trainer.json").read_text())["examples_per_question"] == 2


def test_no_task_is_asked_about_with_its_own_answer(
    model: Any, server: FaultServer, tmp_path: Path
) -> None:
    PromptTraining(run_for(tmp_path, texts(30)), model, 60, 4).fit()
    shown = [(asked.text, examples_of(asked)) for asked in server.chats()]
    assert any(examples for _, examples in shown)
    for text, examples in shown:
        assert not any(text in content for content, _ in examples)


def test_the_time_is_up(model: Any, tmp_path: Path) -> None:
    run = run_for(tmp_path, texts(30), on_epoch=lambda epoch, epochs, metrics: epoch < 2)
    learned = PromptTraining(run, model, 60, 4).fit()
    assert learned.count in {0, 2}


def test_a_model_that_answers_nothing_is_named(
    model: Any, server: FaultServer, tmp_path: Path
) -> None:
    server.key = "secret"
    run = run_for(tmp_path, texts(30))
    with pytest.raises(TrainingError, match="the model has answered no question"):
        train_prompt(run, model, 60, 4)


def test_long_texts_are_no_examples(model: Any, tmp_path: Path) -> None:
    tasks = texts(12)
    for task in tasks:
        task["data"]["text"] += " und" * 1500
    with pytest.raises(TrainingError, match="too long to be examples"):
        train_prompt(run_for(tmp_path, tasks), model, 60, 4)


def example(label: str, seed: int) -> AnsweredTask:
    return AnsweredTask((TextPart("text", text_about(label, seed)),), {"topic": label})


def test_what_was_learned_is_read_again(tmp_path: Path) -> None:
    learned = LearnedPrompt("topic", 1, "Be quick.", (example("Food", 1), example("Sport", 2)))
    learned.write(tmp_path)
    assert read_learned(tmp_path, "v1") == replace(learned, version="v1")
    [chosen] = learned.choose((TextPart("text", text_about("Sport", 2)),), "topic of it")
    assert chosen.answer == {"topic of it": "Sport"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not what a training writes"),
        ("[]", "is not what a training writes"),
        ('{"format": "another"}', "is not what a training writes"),
        ('{"format": "prelabel-prompt-1", "control": "a"}', "is not what a training writes"),
    ],
)
def test_a_damaged_file_is_named(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(ModelError, match=message):
        read_learned(tmp_path, f"v{content}")

"""A training from an export file: what it leaves and says, and what the next one goes on from."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.backend.training import TrainingError
from shared.pipeline.runtime import runtime

from .conftest import KEY, Trainings
from .words import CONFIG, WordsBackend, annotated, choice, text_about, texts

TWO_TAGS = CONFIG.replace(
    "</View>",
    """<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
    <Labels name="entity" toName="text"><Label value="Person"/></Labels></View>""",
)


def test_a_first_training_serves(trainings: Trainings) -> None:
    result = trainings.run(texts(60))
    [outcome] = result["controls"]
    [version] = trainings.store.list_versions(KEY)
    assert trainings.store.serving_versions(KEY) == {"topic": version}
    assert trainings.context.message.startswith(
        f'Choices "topic" is served by {version.name}: accuracy 1.00 (1.00 to 1.00) on'
    )
    assert result["tasks"] == 60
    assert outcome == {
        "control": "topic",
        "tag": "Choices",
        "state": "serving",
        "reason": version.figures["reason"],
        "backend": "words",
        "version": version.name,
        "labels": ["Sport", "Food", "Music"],
    }


def test_what_serves_predicts(trainings: Trainings) -> None:
    trainings.run(texts(60))
    weights = {"topic": trainings.store.serving_versions(KEY)["topic"].weights}
    from shared.label_studio.label_config import LabelConfig

    [plan] = runtime().planner.plan_all(LabelConfig.parse(CONFIG), [WordsBackend], [], weights)
    task = {"id": 1, "data": {"text": "the coach of the team"}}
    [outcome] = runtime().pipeline.run(plan, [task])
    assert outcome.prediction is not None
    assert outcome.prediction.results[0]["value"]["choices"] == ["Sport"]


def test_a_version_has_all_that_the_training_left(trainings: Trainings) -> None:
    trainings.run(texts(60))
    [version] = trainings.store.list_versions(KEY)
    left = {path.name for path in version.folder.iterdir()}
    assert left >= {
        "weights",
        "version.json",
        "manifest.json",
        "metrics.json",
        "settings.json",
        "log.txt",
        "README.md",
    }
    metrics = json.loads((version.folder / "metrics.json").read_text())
    assert [epoch["loss"] for epoch in metrics["epochs"]] == [1, 1 / 2, 1 / 3]
    manifest = json.loads((version.folder / "manifest.json").read_text())
    assert version.name == f"v1-{manifest['version'][:8]}"
    assert sum(manifest["splits"].values()) == 60


def test_the_snapshot_is_hashed_by_what_it_says(trainings: Trainings) -> None:
    tasks = texts(60)
    names = []
    for written in (tasks, tasks[::-1], [*tasks[1:], annotated(1, "other words", choice("Food"))]):
        trainings.run(written)
        names.append(trainings.store.list_versions(KEY)[-1].name.partition("-")[2])
    assert names[0] == names[1]
    assert names[0] != names[2]


def test_progress(trainings: Trainings) -> None:
    trainings.run(texts(60))
    stages = list(dict.fromkeys(one["stage"] for one in trainings.progress))
    assert stages == [
        "read",
        "dataset: read",
        "dataset: fetch",
        "dataset: write",
        "train",
        "compare",
    ]
    begin, *epochs = [one for one in trainings.progress if one["stage"] == "train"]
    assert begin.get("epoch") is None, "the first epoch may take minutes"
    assert [one["epoch"] for one in epochs] == [1, 2, 3]
    assert epochs[0]["control"] == "topic"
    assert (epochs[1]["epochs"], epochs[1]["loss"]) == (3, 0.5)
    assert epochs[1]["metrics"] == {"accuracy": 0.75}
    assert trainings.context.progress.get("epoch") is None, "what is compared has no epoch"


def test_scratch_is_left_empty(trainings: Trainings) -> None:
    folders: list[Path] = []
    WordsBackend.before = lambda run: folders.append(run.dataset)
    trainings.run(texts(60))
    assert folders
    assert not any(folder.exists() for folder in folders)


def test_the_next_training_goes_on_from_what_serves(trainings: Trainings) -> None:
    for _ in range(2):
        trainings.run(texts(60))
    [version, candidate] = trainings.store.list_versions(KEY)
    assert [run.base for run in WordsBackend.runs] == [None, version.weights.folder]
    # The same model once more is not better: it is kept, and what served goes on.
    assert trainings.store.serving_versions(KEY) == {"topic": version}
    assert "it is not better" in candidate.figures["reason"]
    assert trainings.context.message.startswith(
        f'Choices "topic" is not served by the new {candidate.name}, which is kept as a candidate'
    )


def test_a_training_gets_what_the_settings_say(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAIN_THREADS", "3")
    monkeypatch.setenv("DEVICE", "cuda:1")
    trainings.reset()
    trainings.run(texts(60), max_epochs=7)
    [run] = WordsBackend.runs
    assert (run.threads, run.device, run.max_epochs, run.batch_scale) == (3, "cuda:1", 7, 1.0)


def test_a_tag_that_cannot_be_trained_costs_only_itself(trainings: Trainings) -> None:
    result = trainings.run(texts(60), TWO_TAGS)
    states = {one["control"]: one["state"] for one in result["controls"]}
    assert states == {"topic": "serving", "mood": "not trained", "entity": "not trained"}
    reasons = {one["control"]: one["reason"] for one in result["controls"]}
    assert reasons["mood"] == 'no annotation has "Good", "Bad"'
    assert reasons["entity"] == "no backend that serves here fills it"


def test_results_of_other_tags_are_ignored(trainings: Trainings) -> None:
    tasks: list[dict[str, Any]] = []
    for number, task in enumerate(texts(60)):
        [annotation] = task["annotations"]
        mood = choice("Good" if number % 2 else "Bad", "mood")
        tasks.append(
            {**task, "annotations": [{**annotation, "result": [mood, *annotation["result"]]}]}
        )
    result = trainings.run(tasks, TWO_TAGS)
    assert [one["state"] for one in result["controls"]][:1] == ["serving"]
    topic, mood = WordsBackend.runs
    assert (topic.labels, mood.labels) == (("Sport", "Food", "Music"), ("Good", "Bad"))
    assert [control.name for control in topic.config.controls] == ["topic"]


def test_one_tag_is_asked_for(trainings: Trainings) -> None:
    result = trainings.run(texts(60), TWO_TAGS, controls=["topic"])
    assert [one["control"] for one in result["controls"]] == ["topic"]
    with pytest.raises(TrainingError) as error:
        trainings.run(texts(60), TWO_TAGS, controls=["theme"])
    assert str(error.value) == (
        'the label config has no control tag "theme" to train; it has: "entity", "mood", "topic"'
    )


def test_a_tag_is_trained_by_the_backend_that_it_names(trainings: Trainings) -> None:
    class Other(WordsBackend):
        name = "other"
        opt_in = True

    trainings.backends = (WordsBackend, Other)
    trainings.run(texts(60), CONFIG)
    named = CONFIG.replace('name="topic"', 'name="topic" model_backend="other"')
    trainings.run(texts(60), named)
    backends = [version.backend for version in trainings.store.list_versions(KEY)]
    assert backends == ["words", "other"]
    assert WordsBackend.runs[1].base is None, "the weights of another backend are no base"


def test_old_versions_are_removed(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_KEEP", "1")
    monkeypatch.setenv("TRAIN_GATE", "false")
    trainings.reset()
    for _ in range(4):
        trainings.run(texts(60))
    numbers = [one.name.partition("-")[0] for one in trainings.store.list_versions(KEY)]
    assert numbers == ["v3", "v4"], "the one that serves, and the one that did before"


def test_texts_are_learned_from_that_tasks_say_twice(trainings: Trainings) -> None:
    """A file may have tasks without ids, or with the same."""
    tasks = [{key: value for key, value in task.items() if key != "id"} for task in texts(30)]
    tasks += [{**task, "id": 5} for task in texts(60)[30:]]
    assert trainings.run(tasks)["tasks"] == 60
    assert trainings.store.list_versions(KEY)[0].figures["tasks"] > 1


def test_text_of_a_label_is_learned_from_its_latest_annotation(trainings: Trainings) -> None:
    task = annotated(1, text_about("Food", 1), choice("Sport"), updated_at="2026-01-01T10:00:00Z")
    later = {"id": 5000, "result": [choice("Food")], "updated_at": "2026-01-02T10:00:00Z"}
    task["annotations"].append(later)
    seen: list[str] = []
    WordsBackend.before = lambda run: seen.extend(
        line for name in ("train", "val", "test") for line in _lines(run.dataset / f"{name}.jsonl")
    )
    trainings.run([task, *texts(60)[1:]])
    [answer] = [json.loads(line)["answers"] for line in seen if json.loads(line)["id"] == 1]
    assert answer == {"topic": ["Food"]}


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()

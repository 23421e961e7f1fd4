"""What cannot be learned from: each a sentence that says what is missing."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shared.backend.training import TrainingError, TrainingRun
from shared.errors import PrelabelError
from shared.training.source import TrainingSource

from .conftest import KEY, Trainings
from .words import CONFIG, WordsBackend, annotated, choice, text_about, texts

Raw = dict[str, Any]
OTHER_NAMES = CONFIG.replace("Sport", "Sports").replace("Food", "Foods").replace("Music", "Art")


def without_annotations(task: Mapping[str, Any]) -> Raw:
    return {**task, "annotations": []}


def skipped(task: Mapping[str, Any]) -> Raw:
    return {**task, "annotations": [{**one, "was_cancelled": True} for one in task["annotations"]]}


def few(label: str, count: int) -> list[Raw]:
    first = 1000
    return [annotated(first + n, text_about(label, first + n), choice(label)) for n in range(count)]


@pytest.mark.parametrize(
    ("tasks", "xml", "expected"),
    [
        pytest.param([], CONFIG, "there are no tasks to learn from", id="no tasks"),
        pytest.param(
            list(map(without_annotations, texts(3))),
            CONFIG,
            "none of 3 tasks has an annotation: annotate some, submit them, and start the training"
            " again",
            id="no annotation",
        ),
        pytest.param(
            [*map(skipped, texts(3)), *map(without_annotations, texts(2))],
            CONFIG,
            "none of 5 tasks has an annotation that counts (3 were skipped): annotate some, submit"
            " them, and start the training again",
            id="all skipped",
        ),
        pytest.param(
            few("Sport", 20),
            CONFIG,
            'Choices "topic" is not trained: only "Sport" has enough examples, and two labels are'
            ' needed; no annotation has "Food", "Music"',
            id="one label only",
        ),
        pytest.param(
            [*few("Sport", 20), *few("Food", 2)],
            CONFIG,
            'Choices "topic" is not trained: only "Sport" has enough examples, and two labels are'
            ' needed; label "Food" has 2 examples, 5 are needed; no annotation has "Music"',
            id="two examples of a label",
        ),
        pytest.param(
            [*few("Sport", 1), *few("Food", 4)],
            CONFIG,
            'Choices "topic" is not trained: label "Sport" has 1 example, 5 are needed; label'
            ' "Food" has 4 examples, 5 are needed; no annotation has "Music"',
            id="few examples of every label",
        ),
        pytest.param(
            texts(60),
            OTHER_NAMES,
            'Choices "topic" is not trained: no annotation has "Sports", "Foods", "Art" (the label'
            ' config has no label "Food" in Choices "topic" (any more): such regions are left out'
            " (task 2, annotation 1002",
            id="annotations of an older label config",
        ),
        pytest.param(
            texts(60),
            CONFIG.replace('name="topic"', 'name="theme"'),
            'Choices "theme" is not trained: no annotation has "Sport", "Food", "Music" (results'
            ' are of "topic", which the label config does not have',
            id="a control tag of another name",
        ),
        pytest.param(
            texts(60),
            CONFIG.replace('name="topic"', 'name="topic" model_skip="true"'),
            'Choices "topic" is not trained: it has model_skip="true"',
            id="model_skip",
        ),
        pytest.param(
            texts(60),
            '<View><Text name="text" value="$text"/></View>',
            "the label config has no control tags: nothing is trained",
            id="no control tags",
        ),
    ],
)
def test_refused(trainings: Trainings, tasks: list[Raw], xml: str, expected: str) -> None:
    with pytest.raises(TrainingError) as error:
        trainings.run(tasks, xml)
    assert str(error.value).startswith(expected)
    assert trainings.store.list_versions(KEY) == []
    assert WordsBackend.runs == []


def test_a_rare_label_is_left_out_and_said(trainings: Trainings) -> None:
    tasks = [*texts(40, ["Sport", "Food"]), *few("Music", 3)]
    outcome = trainings.outcome(tasks)
    assert outcome["labels"] == ["Sport", "Food"]
    assert outcome["notes"] == ['not learned: label "Music" has 3 examples, 5 are needed']
    [run] = WordsBackend.runs
    assert run.labels == ("Sport", "Food")
    assert list(run.config.controls[0].labels) == ["Sport", "Food"]


def test_labels_that_are_gone_are_left_out_and_said(trainings: Trainings) -> None:
    xml = CONFIG.replace('<Choice value="Music"/>', "")
    outcome = trainings.outcome(texts(60), xml)
    assert outcome["labels"] == ["Sport", "Food"]
    [note] = outcome["notes"]
    assert note.startswith('the label config has no label "Music" in Choices "topic" (any more)')


def test_labels_that_nobody_gives_are_said(trainings: Trainings) -> None:
    outcome = trainings.outcome(texts(60, ["Sport", "Food"]))
    assert outcome["notes"] == ['not learned: no annotation has "Music"']


def test_equal_texts_leave_nothing_to_hold_out(trainings: Trainings) -> None:
    """Near-duplicates come into one part, so that 20 copies of a text are one example."""
    copies = [annotated(n, "goal match team race ball player", choice("Sport")) for n in range(20)]
    tasks = [*copies, *texts(40, ["Food", "Music"])]
    outcome = trainings.outcome(tasks)
    assert outcome["labels"] == ["Food", "Music"]
    assert outcome["notes"][0].startswith('not learned: label "Sport" has ')
    assert outcome["notes"][0].endswith("held out, 3 and 1 are needed")


@pytest.mark.parametrize("multiple", [False, True])
def test_tasks_without_an_answer(trainings: Trainings, multiple: bool) -> None:
    """Where several choices can be given, none is an answer, too."""
    several = 'toName="text" choice="multiple"' if multiple else 'toName="text"'
    empty = [annotated(500 + n, text_about("Sport", 500 + n)) for n in range(10)]
    ids: set[int] = set()

    def read_ids(run: TrainingRun) -> None:
        for part in ("train", "val", "test"):
            lines = (run.dataset / f"{part}.jsonl").read_text().splitlines()
            ids.update(json.loads(line)["id"] for line in lines)

    WordsBackend.before = read_ids
    tasks = [*texts(40, ["Food", "Music"]), *empty]
    trainings.run(tasks, CONFIG.replace('toName="text"', several))
    assert ids == set(range(1, 41)) | (set(range(500, 510)) if multiple else set())


def test_a_project_that_does_not_answer(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-token")
    trainings.reset()
    with pytest.raises(PrelabelError) as error:
        trainings.run_source(TrainingSource.of_project(7))
    assert str(error.value).startswith("project 7: Label Studio does not answer on reading it")

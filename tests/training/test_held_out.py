"""What was held out once stays held out: while a project grows, is edited, and shrinks."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from shared.training.tag_training import PARTS_FILE

from .conftest import KEY, Trainings
from .words import WordsBackend, annotated, choice, texts

Parts = dict[int, str]


def parts_of(trainings: Trainings) -> Parts:
    """The part of each task in the latest training, by what the manifest says."""
    version = trainings.store.list_versions(trainings.key)[-1]
    manifest = json.loads((version.folder / "manifest.json").read_text())
    return {task["id"]: task["split"] for task in manifest["tasks"]}


def train(trainings: Trainings, tasks: list[dict[str, Any]]) -> Parts:
    trainings.run(tasks)
    return parts_of(trainings)


def moved(before: Parts, after: Parts) -> dict[int, tuple[str, str]]:
    return {
        number: (before[number], after[number])
        for number in before.keys() & after.keys()
        if before[number] != after[number]
    }


def shout(task: dict[str, Any]) -> str:
    return str(task["data"]["text"]).upper() + "!"


def test_about_a_fifth_is_held_out(trainings: Trainings) -> None:
    parts = list(train(trainings, texts(300)).values())
    assert 0.15 < parts.count("test") / len(parts) < 0.25
    assert 0.05 < parts.count("val") / len(parts) < 0.15


def test_tasks_that_are_added_move_no_other(trainings: Trainings) -> None:
    tasks = texts(120)
    random.Random(0).shuffle(tasks)
    parts: Parts = {}
    for count in (30, 60, 120):
        grown = train(trainings, tasks[:count])
        assert moved(parts, grown) == {}
        parts = grown
    assert len(parts) == 120


def test_edited_annotations_move_no_task(trainings: Trainings) -> None:
    """Another label and another order of annotation change what the split would be."""
    before = train(trainings, texts(60))
    edited = []
    for number, task in enumerate(texts(60)):
        new = choice(("Music", "Sport", "Food")[number % 3])
        edited.append(annotated(task["id"], task["data"]["text"], new, id=9000 - number))
    after = train(trainings, edited)
    assert moved(before, after) == {}
    alone = Trainings(trainings.folder, key="8.1700000000")
    assert moved(before, train(alone, edited)), "the split by itself is another"


def test_a_task_that_is_imported_again_is_known_by_its_text(trainings: Trainings) -> None:
    before = train(trainings, texts(60))
    again = [{**task, "id": task["id"] + 500} for task in texts(60)]
    after = {number - 500: part for number, part in train(trainings, again).items()}
    assert before == after


def test_a_near_duplicate_of_a_held_out_task_is_held_out(trainings: Trainings) -> None:
    tasks = texts(60)
    before = train(trainings, tasks)
    copies = [
        annotated(1000 + task["id"], shout(task), *task["annotations"][0]["result"])
        for task in tasks
    ]
    # They are first in the order of annotation.
    for number, copy in enumerate(copies):
        copy["annotations"][0]["id"] = number + 1
    after = train(trainings, [*copies, *tasks])
    assert moved(before, after) == {}
    assert {number - 1000: part for number, part in after.items() if number > 1000} == before


def test_what_was_deleted_is_remembered(trainings: Trainings) -> None:
    tasks = texts(60)
    before = train(trainings, tasks)
    held_out = {number for number, part in before.items() if part == "test"}
    kept = [task for task in tasks if task["id"] not in list(held_out)[:3]]
    train(trainings, kept)
    assert moved(before, train(trainings, tasks)) == {}


def test_no_trainer_sees_a_held_out_text(trainings: Trainings) -> None:
    learned: list[str] = []
    WordsBackend.before = lambda run: learned.extend(
        json.loads(line)["objects"]["text"]["text"]
        for part in ("train", "val")
        for line in (run.dataset / f"{part}.jsonl").read_text().splitlines()
    )
    tasks = texts(60)
    parts = train(trainings, tasks)
    held_out = {task["data"]["text"] for task in tasks if parts[task["id"]] == "test"}
    assert held_out
    assert held_out.isdisjoint(learned)


@pytest.mark.parametrize("count", [10, 13])
@pytest.mark.parametrize("draw", range(2))
def test_few_tasks_are_shared_out(trainings: Trainings, count: int, draw: int) -> None:
    """By the hash alone, parts of so few are often empty: trainers need one for validation."""
    tasks = texts(count * (draw + 1), ["Food", "Music"])[-count:]
    parts = train(trainings, tasks)
    label_of = {task["id"]: task["annotations"][0]["result"][0]["id"] for task in tasks}
    counts = Counter((part, label_of[number]) for number, part in parts.items())
    for label in ("topic-Food", "topic-Music"):
        assert counts["train", label] >= 3
        assert counts["test", label] >= 1
    assert list(parts.values()).count("val") >= 1


def test_the_file_is_a_list_of_digests(trainings: Trainings) -> None:
    train(trainings, texts(30))
    file = trainings.store.control_folder(KEY, "topic") / PARTS_FILE
    written = json.loads(file.read_text())
    assert {part: len(digests) for part, digests in written.items()} == {
        part: list(parts_of(trainings).values()).count(part) for part in ("train", "val", "test")
    }

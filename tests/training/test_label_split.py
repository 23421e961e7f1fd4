"""Few tasks are shared out so that each part has what it needs."""

import pytest

from shared.training.label_split import LabelSplit

Tasks = dict[str, tuple[str, str]]


def split_of(tasks: Tasks, labels: str = "AB") -> LabelSplit:
    """`tasks` are by name: their part and labels, a letter each."""
    split = LabelSplit(list(labels))
    for name, (part, own) in tasks.items():
        split.add(name, name.encode(), part, set(own))
    return split


def group(part: str, labels: str, count: int) -> Tasks:
    return {f"{part}-{labels}-{number}": (part, labels) for number in range(count)}


ENOUGH = group("train", "A", 3) | group("val", "A", 1) | group("test", "A", 1)


@pytest.mark.parametrize(
    ("tasks", "labels", "moves"),
    [
        pytest.param(ENOUGH, "A", {}, id="enough"),
        pytest.param(
            group("train", "A", 2) | group("val", "A", 1) | group("test", "A", 2),
            "A",
            {"test-A-0": "train"},
            id="too few to learn from",
        ),
        pytest.param(
            group("train", "A", 4) | group("val", "A", 1),
            "A",
            {"train-A-0": "test"},
            id="none held out",
        ),
        pytest.param(
            group("train", "A", 4) | group("test", "A", 1),
            "A",
            {"train-A-0": "val"},
            id="none for validation",
        ),
        pytest.param(
            group("test", "A", 5),
            "A",
            {"test-A-0": "train", "test-A-1": "train", "test-A-2": "train", "test-A-3": "val"},
            id="all held out",
        ),
        pytest.param(
            ENOUGH | group("train", "AB", 1) | group("test", "B", 3) | group("train", "B", 1),
            "AB",
            {"test-B-0": "train"},
            id="of two labels one lacks",
        ),
        pytest.param(
            group("train", "A", 1) | group("val", "A", 1) | group("test", "A", 1),
            "A",
            {},
            id="none can be spared",
        ),
        pytest.param(
            ENOUGH | group("train", "C", 9), "A", {}, id="labels that are not learned do not count"
        ),
        pytest.param(
            group("train", "A", 3) | group("test", "A", 1) | group("train", "", 1),
            "A",
            {"train--0": "val"},
            id="a task without labels is one for validation",
        ),
    ],
)
def test_moves(tasks: Tasks, labels: str, moves: dict[str, str]) -> None:
    made: dict[str, str] = {}

    def move(task: str, part: str) -> bool:
        made[task] = part
        return True

    assert split_of(tasks, labels).balance(move) == len(moves)
    assert made == moves


def test_tasks_that_have_to_stay_are_passed_over() -> None:
    tasks = group("train", "A", 4) | group("test", "A", 1)
    made: list[str] = []

    def move(task: str, part: str) -> bool:
        made.append(task)
        return task == "train-A-2"

    assert split_of(tasks, "A").balance(move) == 1
    assert made == ["train-A-0", "train-A-1", "train-A-2"]

"""Examples of a question: alike, balanced, and not too long."""

from typing import Any

import pytest

from backends.prompt.learning import example_choice
from backends.prompt.learning.example_choice import ExamplePool, label_of
from backends.prompt.question import AnsweredTask, TextPart


def shown(text: str) -> tuple[TextPart, ...]:
    return (TextPart("text", text),)


def pool(*tasks: tuple[str, Any]) -> ExamplePool:
    return ExamplePool([AnsweredTask(shown(text), {"c": answer}) for text, answer in tasks], "c")


GAMES = (
    ("a goal in the match", "Sport"),
    ("a goal in the last match", "Sport"),
    ("the match was lost", "Sport"),
    ("bread and butter", "Food"),
    ("a match of spices and bread", "Food"),
    ("a song", "Music"),
)


OTHERS = ("a song", "a match of spices and bread")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(0, [], id="none"),
        # the nearest of each label first; the most similar last
        pytest.param(1, ["a goal in the match"], id="one"),
        pytest.param(2, ["a match of spices and bread", "a goal in the match"], id="two labels"),
        pytest.param(
            4,
            [*OTHERS, "a goal in the last match", "a goal in the match"],
            id="a second one of a label after one of each",
        ),
        pytest.param(9, None, id="no more than there are"),
    ],
)
def test_choice(count: int, expected: list[str] | None) -> None:
    chosen = pool(*GAMES).choose(shown("a goal in the match"), count)
    texts = [one.content[0].text for one in chosen]
    assert len(texts) == 6 if expected is None else texts == expected


def test_a_task_is_no_example_of_itself() -> None:
    chosen = pool(*GAMES).choose(shown("a goal in the match"), 1, without=0)
    assert [one.content[0].text for one in chosen] == ["a goal in the last match"]


def test_long_examples_leave_room_for_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_choice, "MAX_SHOWN_CHARACTERS", 30)
    chosen = pool(*GAMES).choose(shown("a goal in the match"), 3)
    # 19 characters of Sport leave 11: 27 of Food do not fit, the 6 of Music do
    assert [one.content[0].text for one in chosen] == ["a song", "a goal in the match"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Sport", "Sport"),
        (4, 4),
        (None, None),
        (["B", "A"], ("A", "B")),
        ([{"quote": "Rome", "label": "City"}, {"quote": "Oslo", "label": "City"}], ("City",)),
        ([{"quote": "Ann", "labels": ["Person", "Author"]}], ("Author", "Person")),
        ([], ()),
    ],
)
def test_label(answer: Any, label: Any) -> None:
    assert label_of(answer) == label

"""From the logits of windows to scores and to spans: computed by hand."""

import math

import pytest

from backends.audio.scores import BACKGROUND, class_scores, find_events, mean_scores
from backends.audio.sound import Heard, SoundOutput, Window, cut_windows

HALF = math.log(3.0)  # of two classes, one three times as likely: 0.75 and 0.25


@pytest.mark.parametrize(
    ("length", "seconds", "step", "expected"),
    [
        (0.0, 2.0, 1.0, []),
        (0.5, 2.0, 1.0, [(0, 0.5)]),
        (2.0, 2.0, 1.0, [(0, 2)]),
        (4.5, 2.0, 1.0, [(0, 2), (1, 3), (2, 4), (3, 4.5)]),
        (25.0, 10.0, 10.0, [(0, 10), (10, 20), (20, 25)]),
    ],
)
def test_windows(
    length: float, seconds: float, step: float, expected: list[tuple[float, float]]
) -> None:
    found = cut_windows(length, seconds, step, "event")
    assert [(window.start, window.end) for window in found] == expected


def test_classes_that_exclude_each_other_share_one() -> None:
    scores = class_scores({"a": HALF, "b": 0.0}, SoundOutput(), ["a"], several=False)
    assert scores == pytest.approx({"a": 0.75, "b": 0.25})


def test_classes_that_do_not_have_scores_of_their_own() -> None:
    output = SoundOutput(exclusive=False)
    scores = class_scores({"a": HALF, "b": HALF}, output, [], several=False)
    assert scores == pytest.approx({"a": 0.75, "b": 0.75})


def test_names_are_weighed_among_themselves_or_against_the_background() -> None:
    logits = {"a": HALF, "b": 0.0, "other claim": 9.0, **dict.fromkeys(BACKGROUND, 0.0)}
    output = SoundOutput(named=True)
    assert class_scores(logits, output, ["a", "b"], several=False) == pytest.approx(
        {"a": 0.75, "b": 0.25}
    )
    assert class_scores(logits, output, ["a", "b"], several=True) == pytest.approx(
        {"a": 0.75, "b": 0.5}
    )


def test_the_mean_of_windows() -> None:
    window = Window(0.0, 10.0, "whole")
    heard = [Heard(window, {"a": HALF, "b": 0.0}), Heard(window, {"a": 0.0, "b": HALF})]
    assert mean_scores(heard, SoundOutput(), [], several=False) == pytest.approx(
        {"a": 0.5, "b": 0.5}
    )
    assert mean_scores([], SoundOutput(), [], several=False) == {}


def events(likely: str, length: float = 8.0, channels: int = 1) -> list[tuple[str, float, float]]:
    """Events where windows of 2 s, each second, are likely ("x") to have one."""
    heard = [
        Heard(
            Window(place, min(place + 2.0, length), "event", channel),
            {"x": HALF if letter == "x" else -HALF, "y": 0.0},
        )
        for channel in range(channels)
        for place, letter in enumerate(likely)
    ]
    found = find_events(SoundOutput(tuple(heard), length), ["x"], 0.7)
    return [(one.name, one.start, one.end) for one in found if one.name == "x"]


@pytest.mark.parametrize(
    ("likely", "expected"),
    [
        ("-------", []),
        ("--x----", [("x", 2.5, 3.5)]),
        ("--xxx--", [("x", 2.5, 5.5)]),
        ("xx-----", [("x", 0.0, 2.5)]),
        ("-----xx", [("x", 5.5, 8.0)]),
        ("x--x---", [("x", 0.0, 1.5), ("x", 3.5, 4.5)]),
        ("xxxxxxx", [("x", 0.0, 8.0)]),
    ],
)
def test_events_are_where_windows_follow_each_other(
    likely: str, expected: list[tuple[str, float, float]]
) -> None:
    assert events(likely) == expected


def test_events_of_two_channels_stay_apart() -> None:
    assert events("xxxxxxx", channels=2) == [("x", 0.0, 8.0)] * 2


def test_background_is_no_event() -> None:
    logits = {"x": 0.0, **dict.fromkeys(BACKGROUND, 5.0)}
    heard = (Heard(Window(0.0, 2.0, "event"), logits),)
    assert list(find_events(SoundOutput(heard, 2.0, named=True), ["x"], 0.5)) == []

"""Annotations that are likely wrong: in generated sets, those that were made wrong come first."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction
from shared.evaluation.evaluation import Evaluation
from shared.evaluation.label_errors.collector import LabelErrors
from shared.evaluation.label_errors.issue import IssueRanking, LabelIssue
from shared.results import ParsedRegion

from .annotations import CONFIG, annotation, answer, box, span, task

Regions = Sequence[ParsedRegion]


def compared(number: int, truth: Regions, predicted: Regions) -> AnnotatedTask:
    """Return a task with one annotation and one prediction."""
    prediction = StoredPrediction(tuple(predicted), "v1")
    return task(annotation(*truth), number=number, predictions=[prediction])


def issues_of(tasks: Iterable[AnnotatedTask], limit: int = 1000) -> list[LabelIssue]:
    """Return the issues that an evaluation of the tasks finds."""
    errors = LabelErrors(CONFIG)
    evaluation = Evaluation(CONFIG, observers=[errors.add])
    for one in tasks:
        evaluation.add(one)
    return errors.rows(limit)


def test_flipped_classes_come_first() -> None:
    numbers = random.Random(0)
    tasks: list[AnnotatedTask] = []
    flipped: set[Any] = set()
    for number in range(1000):
        true = numbers.choice("ABC")
        # A good model: of its own mistakes it is less sure.
        right = numbers.random() < 0.95
        said = true if right else numbers.choice([c for c in "ABC" if c != true])
        score = numbers.uniform(0.7, 1.0) if right else numbers.uniform(0.34, 0.7)
        annotated = true
        if number % 20 == 0:
            flipped.add(number)
            annotated = numbers.choice([c for c in "ABC" if c != true])
        tasks.append(
            compared(number, [answer("class", [annotated])], [answer("class", [said], score)])
        )
    found = issues_of(tasks)
    top = {issue.task for issue in found[: len(flipped)]}
    assert len(top & flipped) / len(flipped) >= 0.8
    assert {issue.kind for issue in found} == {"wrong class"}
    confidences = [issue.confidence for issue in found]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize("shape", ["boxes", "spans"])
def test_flipped_labels_of_regions_come_first(shape: str) -> None:
    numbers = random.Random(1)
    tasks: list[AnnotatedTask] = []
    flipped: set[Any] = set()
    names = ("Car", "Bus") if shape == "boxes" else ("Person", "Place")
    for number in range(200):
        truth: list[ParsedRegion] = []
        predicted: list[ParsedRegion] = []
        for place in range(5):
            label, other = numbers.sample(names, 2)
            annotated = other if numbers.random() < 0.05 else label
            said, score = label, numbers.uniform(0.6, 1.0)
            if numbers.random() < 0.05:  # the model's own mistakes, of which it is less sure
                said, score = other, numbers.uniform(0.3, 0.7)
            truth.append(_region(shape, place, annotated))
            if annotated != label:
                flipped.add((number, truth[-1].id))
            if numbers.random() < 0.97:
                predicted.append(_region(shape, place, said, score))
        tasks.append(compared(number, truth, predicted))
    top = {(issue.task, issue.region) for issue in issues_of(tasks, len(flipped))}
    assert len(flipped) > 30
    assert len(top & flipped) / len(flipped) >= 0.8


def _region(shape: str, place: int, label: str, score: float | None = None) -> ParsedRegion:
    if shape == "boxes":
        return box(place * 15, label, score)
    return span(place * 8, place * 8 + 6, label, score)


def test_each_kind_of_region() -> None:
    usual = [compared(n, [box(0)], [box(0, score=0.9)]) for n in range(18)]
    found = issues_of(
        [
            *usual,
            compared(20, [box(0, "Bus")], [box(1, "Car", 0.8)]),  # same place, another label
            compared(21, [], [box(50, "Car", 0.7)]),  # nothing there
            compared(22, [box(0)], []),  # the model is silent: 18 of 19 cars were found
            compared(23, [box(0, "Bus")], []),  # it finds no bus: its silence says nothing
            compared(24, [], [box(50, "Car")]),  # a prediction without a score says nothing
        ]
    )
    assert found == [
        LabelIssue(20, "box", "Bus", "wrong label", 0.8, "Car", "Bus0"),
        LabelIssue(21, "box", "", "missed object", 0.7, "Car", "Car50"),
        LabelIssue(22, "box", "Car", "unconfirmed object", pytest.approx(18 / 19 / 2), "", "Car0"),
    ]


def test_what_says_nothing_of_classes() -> None:
    assert issues_of([]) == []
    tasks = [
        compared(1, [answer("class", ["A"])], [answer("class", ["B"])]),  # no score
        compared(2, [], [answer("class", ["B"], 0.9)]),  # no annotation
        compared(3, [answer("class", ["A"])], []),  # no prediction
        compared(4, [answer("classes", ["A", "B"])], [answer("classes", ["A"], 0.9)]),  # several
    ]
    assert issues_of(tasks) == []


def test_only_the_most_suspicious_are_kept() -> None:
    ranking = IssueRanking(2)
    for task_id, confidence in enumerate([0.5, 0.9, 0.5, 0.1, 0.9]):
        ranking.add(LabelIssue(task_id, "box", "Car", "missed object", confidence))
    assert [issue.task for issue in ranking.ranked()] == [1, 4]

"""The examples that the demo of training learns from: exact, repeatable, of every label."""

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from backends.detection.starter.shapes import CLASSES
from shared.cli.demo.training_data import messages, sentences, shapes
from shared.label_studio.label_config import LabelConfig
from shared.results.validation import check_task

EXAMPLES = {
    "shapes": (shapes.LABEL_CONFIG, "image", lambda seed: ("a.png", shapes.draw_picture(seed))),
    "sentences": (sentences.LABEL_CONFIG, "text", lambda seed: _with_text(sentences, seed)),
    "messages": (messages.LABEL_CONFIG, "text", lambda seed: _with_text(messages, seed)),
}


def _with_text(module: Any, seed: int) -> tuple[str, Any]:
    write = module.write_sentence if module is sentences else module.write_message
    example = write(seed)
    return example.text, example


@pytest.mark.parametrize("kind", EXAMPLES)
def test_results_are_valid_in_the_label_config(kind: str) -> None:
    xml, key, make = EXAMPLES[kind]
    config = LabelConfig.parse(xml)
    for seed in range(30):
        value, example = make(seed)
        task = {"data": {key: value}, "annotations": [{"result": example.results()}]}
        assert check_task(config, task) == []


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_number_gives_the_same_each_time(kind: str) -> None:
    make = EXAMPLES[kind][2]
    once, again, other = (repr(make(seed)[1].results()) for seed in (7, 7, 8))
    assert once == again
    assert once != other


def test_few_examples_have_enough_of_each_label() -> None:
    """60 pictures, 200 sentences and 60 messages are what the benchmark learns from."""
    drawn = Counter(label for seed in range(60) for label in shapes.draw_picture(seed).labels)
    assert min(drawn[label] for label in shapes.LABELS) >= 30
    spans = Counter(
        label for seed in range(200) for _, _, label in sentences.write_sentence(seed).spans
    )
    assert min(spans[label] for label in sentences.LABELS) >= 80
    classes = Counter(messages.write_message(seed).label for seed in range(60))
    assert classes == dict.fromkeys(messages.LABELS, 20)


def test_shapes_are_none_that_the_starter_knows() -> None:
    assert {label.lower() for label in shapes.LABELS}.isdisjoint(CLASSES)


@pytest.mark.parametrize("label", shapes.LABELS)
def test_box_encloses_what_is_painted(label: str) -> None:
    canvas = np.zeros((shapes.HEIGHT, shapes.WIDTH, 3))
    corners = shapes.outline(label) * 30 + (100.3, 80.6)
    left, top, right, bottom = shapes.paint_shape(canvas, corners, np.array([255.0, 255, 255]))
    rows, columns = np.nonzero(canvas[:, :, 0])
    assert columns.min() <= left < columns.min() + 1
    assert rows.min() <= top < rows.min() + 1
    assert columns.max() < right <= columns.max() + 1
    assert rows.max() < bottom <= rows.max() + 1


def test_shapes_keep_their_distance() -> None:
    for seed in range(40):
        picture = shapes.draw_picture(seed)
        assert len(picture.labels) == len(picture.boxes) >= 1
        for one, other in combinations(picture.boxes, 2):
            assert (one[:2] > other[2:]).any() or (other[:2] > one[2:]).any()


def test_most_names_of_unseen_sentences_are_new() -> None:
    def names(seeds: range) -> set[str]:
        found = (sentences.write_sentence(seed) for seed in seeds)
        return {
            one.text[start:end]
            for one in found
            for start, end, label in one.spans
            if label == "Medicine"
        }

    unseen = names(range(1000, 1100))
    assert len(unseen - names(range(200))) > 0.75 * len(unseen)

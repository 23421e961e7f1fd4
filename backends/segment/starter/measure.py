"""Measures the starter on unseen pictures: `python -m backends.segment.starter.measure`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from backends.segment.models.starter_model import StarterModel
from backends.segment.starter.pictures import Mask, Picture, draw_picture
from backends.segment.starter.questions import (
    Question,
    as_prompt,
    ask_by_box,
    ask_by_clicks,
    correct,
)

# The first part of a picture's seed. Its tolerances were chosen on pictures of (2026, 1).
_UNSEEN = (2026, 2)
Ask = Callable[[Generator, Picture], Question | None]
KINDS: dict[str, Ask] = {
    "one click": lambda rng, picture: ask_by_clicks(rng, picture, 1, negative=False),
    "three clicks": lambda rng, picture: ask_by_clicks(rng, picture, 3, negative=False),
    "three clicks and a negative one": lambda rng, picture: ask_by_clicks(rng, picture, 3, True),
    "one box": lambda rng, picture: ask_by_box(rng, picture, negative=False),
    "one box and a negative click": lambda rng, picture: ask_by_box(rng, picture, negative=True),
}


def draw_questions(ask: Ask, count: int) -> Iterator[tuple[Picture, Question]]:
    """Yield pictures on which nothing was tried, half of them clean, with a question on each."""
    number = found = 0
    while found < count:
        rng = np.random.default_rng([*_UNSEEN, number])
        number += 1
        picture = draw_picture(rng, style="clean" if number % 2 else "rough")
        question = ask(rng, picture)
        if question is not None:
            found += 1
            yield picture, question


class Ious(NamedTuple):
    """The IoU of an answer, and that after one more click in the middle of its largest error."""

    answer: float
    corrected: float


def measure_ious(model: StarterModel, ask: Ask, count: int) -> list[Ious]:
    """Return the IoUs for each picture."""
    return [_measure(model, picture, question) for picture, question in draw_questions(ask, count)]


def _measure(model: StarterModel, picture: Picture, question: Question) -> Ious:
    embedding = model.encode(picture.image)
    (answer,) = model.decode(embedding, [as_prompt(question)])
    again = as_prompt(correct(question, answer.mask)).refining(answer.logits)
    (corrected,) = model.decode(embedding, [again])
    return Ious(*(_iou(found.mask, question.truth) for found in (answer, corrected)))


def _iou(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table of the README: the mean and median IoU for each kind of prompt."""
    parser = argparse.ArgumentParser(description="Measure the starter on unseen pictures.")
    parser.add_argument("--pictures", type=int, default=200)
    args = parser.parse_args(argv)
    print("| | mean | median | 0.95 or more | mean after one more click |\n|---|---|---|---|---|")
    for name, ask in KINDS.items():
        answer, corrected = np.array(measure_ious(StarterModel(), ask, args.pictures)).T
        good = (answer >= 0.95).mean()
        print(
            f"| {name} | {answer.mean():.3f} | {np.median(answer):.3f} | {good:.0%} |"
            f" {corrected.mean():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

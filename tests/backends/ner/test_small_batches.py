"""No batch is so small that OpenVINO keeps a second copy of the weights for it."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends._transformers.network import MIN_BATCH_TOKENS, Network
from backends._transformers.tokenizer import INPUT_NAMES, Row


def network_of(shapes: list[tuple[int, ...]], max_tokens: int = 512) -> Network:
    """A network whose runner notes the shapes of its batches, and gives zeros."""

    def run(batches: Iterable[Any]) -> list[Any]:
        taken = list(batches)
        shapes.extend(batch["attention_mask"].shape for batch in taken)
        return [np.zeros((*batch["attention_mask"].shape, 3), np.float32) for batch in taken]

    runner: Any = SimpleNamespace(concurrency=1, run=run)
    return Network(runner, INPUT_NAMES, ("a", "b", "c"), None, 0, max_tokens, 512, "openvino")


@pytest.mark.parametrize(
    ("lengths", "shape"),
    [([3], (1, 8)), ([7], (1, 8)), ([3, 2], (2, 4)), ([2] * 9, (9, 2)), ([9], (1, 10))],
    ids=["one", "nearly enough", "two", "many", "longer"],
)
def test_a_batch_has_tokens_enough(lengths: list[int], shape: tuple[int, int]) -> None:
    shapes: list[tuple[int, ...]] = []
    logits = network_of(shapes).run([Row([1] * length, [0] * length) for length in lengths])
    assert shapes == [shape]
    assert shape[0] * shape[1] >= MIN_BATCH_TOKENS
    assert [len(one) for one in logits] == lengths, "padding is nobody's"


def test_a_network_of_few_positions_gets_no_more() -> None:
    shapes: list[tuple[int, ...]] = []
    network_of(shapes, max_tokens=6).run([Row([1] * 3, [0] * 3)])
    assert shapes == [(1, 6)]

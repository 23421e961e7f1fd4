from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations, pairwise

import pytest

from backends._transformers.batching import DOUBLE_COST_TOKENS, Batching

CPU = Batching(512, 2, 32)


def batches(widths: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the rows of each batch, and its width."""
    ends = accumulate(sizes)
    return ((size, widths[end - size]) for end, size in zip(ends, sizes, strict=True))


def padded(widths: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(rows * width for rows, width in batches(widths, sizes))


def cost(batching: Batching, widths: Sequence[int], sizes: Sequence[int]) -> float:
    return sum(
        batching.batch_cost + rows * width * (1 + width / DOUBLE_COST_TOKENS)
        for rows, width in batches(widths, sizes)
    )


def divisions(widths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Yield every way to divide rows into batches that fit."""
    for number in range(len(widths)):
        for cuts in combinations(range(1, len(widths)), number):
            parts = list(pairwise((0, *cuts, len(widths))))
            tokens = [(end - begin) * widths[begin] for begin, end in parts if end - begin > 1]
            if max(tokens, default=0) <= max_tokens:
                yield [end - begin for begin, end in parts]


@pytest.mark.parametrize(
    "widths",
    [
        [8],
        [600, 8],
        [510, 400, 256, 256, 40, 8, 8],
        [48, 44, 40, 36, 32, 28, 24, 20, 16, 12, 8],
        [300, 300, 60, 60, 60, 58, 20, 20, 18, 8],
        [100] * 11,
    ],
    ids=["one", "over-the-limit", "texts", "sentences", "mixed", "equal"],
)
@pytest.mark.parametrize("batch_cost", [0, 18, 1000])
def test_the_cheapest_batches_are_as_cheap_as_any(widths: list[int], batch_cost: int) -> None:
    batching = Batching(512, 2, batch_cost)
    found = batching.cheapest_sizes(widths)
    assert sum(found) == len(widths)
    least = min(cost(batching, widths, sizes) for sizes in divisions(widths, 512))
    assert cost(batching, widths, found) == pytest.approx(least)


def test_sentences_beside_long_texts_are_hardly_padded() -> None:
    widths = [474, 442, *range(60, 6, -2), *range(58, 8, -2)]
    groups = CPU.group(widths)
    assert sorted(index for group in groups for index in group) == list(range(len(widths)))
    ordered, sizes = sorted(widths, reverse=True), list(map(len, groups))
    even = CPU.even_sizes(ordered)
    assert padded(ordered, sizes) < 1.08 * sum(widths) < padded(ordered, even)
    assert cost(CPU, ordered, sizes) < cost(CPU, ordered, even)


@pytest.mark.parametrize(
    ("widths", "sizes"),
    [
        ([], []),
        ([16] * 40, [20, 20]),
        ([0, 0], [2]),
        ([300] * 3, [1, 1, 1]),
    ],
    ids=["none", "one-document", "empty-rows", "long"],
)
def test_no_stream_idles_while_another_runs_all(widths: list[int], sizes: list[int]) -> None:
    assert list(map(len, CPU.group(widths))) == sizes


def test_a_gpu_gets_as_few_batches_as_fit() -> None:
    gpu = Batching(65536, 1, 65536)
    assert list(map(len, gpu.group([*([400] * 100), *([8] * 50)]))) == [150]
    assert len(gpu.group([512] * 200)) == 2

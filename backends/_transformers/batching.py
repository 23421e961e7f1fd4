"""Which rows of tokens share a batch: padding, further batches and idle streams all take time."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import islice
from math import inf

# Attention grows with the square of the length: in rows of this many tokens, a token costs twice
# what it costs in the shortest rows.
DOUBLE_COST_TOKENS = 1500


@dataclass(frozen=True)
class Batching:
    """Divides rows into batches of at most `max_tokens`, padding included; longer rows go alone.

    An engine runs `streams` batches at once. A batch costs as much as `batch_cost` tokens, in
    addition to its own.
    """

    max_tokens: int
    streams: int
    batch_cost: float

    def group(self, widths: Sequence[int]) -> list[list[int]]:
        """Return the row indices of each batch, the longest rows first.

        Of even batches and the cheapest ones, those that take less time: half of it counts as if
        all streams ran nothing else, and half as if others' batches followed at once.
        """
        order = sorted(range(len(widths)), key=lambda index: -widths[index])
        ordered = [widths[index] for index in order]
        sizes = min(
            (self.even_sizes(ordered), self.cheapest_sizes(ordered)),
            key=lambda sizes: self._count_time(ordered, sizes),
        )
        indices = iter(order)
        return [list(islice(indices, size)) for size in sizes]

    def even_sizes(self, widths: Sequence[int]) -> list[int]:
        """Return how many rows each batch has, of rows whose widths fall.

        The number of batches is a multiple of the streams, as far as `max_tokens` allows, and each
        costs about the same. So all streams end at about the same time.
        """
        if not widths:
            return []
        costs = [_row_cost(width) for width in widths]
        rounds = -(-sum(widths) // (self.max_tokens * self.streams))
        share = sum(costs) / (max(1, rounds) * self.streams)
        sizes: list[int] = []
        spent, widest = 0.0, 0
        for width, cost in zip(widths, costs, strict=True):
            # The first row of a batch is its longest: all are padded to it.
            full = not sizes or (1 + sizes[-1]) * widest > self.max_tokens
            # A row belongs to the share of the total cost that its middle falls into.
            if full or spent + cost / 2 > share * len(sizes):
                sizes.append(0)
                widest = width
            sizes[-1] += 1
            spent += cost
        return sizes

    def cheapest_sizes(self, widths: Sequence[int]) -> list[int]:
        """Return the same of the batches that cost the least together."""
        count = len(widths)
        costs = [0.0, *([inf] * count)]  # of the batches of the first so many rows, at the least
        begins = [0] * (count + 1)  # where the last of them begins
        for begin, width in enumerate(widths):
            most = max(1, min(count - begin, self.max_tokens // max(1, width)))
            for size in range(1, most + 1) if costs[begin] < inf else ():
                end = begin + size
                if size < most and widths[end] == widths[end - 1]:
                    continue  # rows of one width are parted only where a batch is full
                cost = costs[begin] + self.batch_cost + size * _row_cost(width)
                if cost < costs[end]:
                    costs[end], begins[end] = cost, begin
        sizes: list[int] = []
        while count:
            sizes.append(count - begins[count])
            count = begins[count]
        return sizes[::-1]

    def _count_time(self, widths: Sequence[int], sizes: Sequence[int]) -> float:
        """Return the time until the last stream ends, plus the mean of all streams."""
        busy, begin = [0.0] * self.streams, 0
        for size in sizes:
            cost = self.batch_cost + size * _row_cost(widths[begin])
            heapreplace(busy, busy[0] + cost)
            begin += size
        return max(busy) + sum(busy) / self.streams


def _row_cost(width: int) -> float:
    return width * (1 + width / DOUBLE_COST_TOKENS)

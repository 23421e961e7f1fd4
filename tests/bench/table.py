"""What a benchmark says: figures of rounds that took turns, since machines drift."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from rich.console import Console
from rich.table import Table

from tests.bench.machine import machine

Figures = tuple[float, ...]
Cells = tuple[str, ...]
Size = Literal["whole", "quick", "smallest"]
"""How much a benchmark does: `quick` is for a first look; `smallest` only shows that it runs."""
T = TypeVar("T")
WANTED_SHARE = 0.9
"""Of what an engine gives alone, the least that a server on it should give."""


def size_of(words: Iterable[str]) -> Size:
    """Return the size that the words of a command line ask for."""
    given = set(words)
    return "smallest" if "--smallest" in given else "quick" if "--quick" in given else "whole"


def sized(size: Size, whole: T, quick: T, smallest: T) -> T:
    """Return what is meant for the size."""
    return {"whole": whole, "quick": quick, "smallest": smallest}[size]


@dataclass(frozen=True)
class Row:
    """One line: `ours`, one figure a round, in `unit`; beside it `theirs` of the same rounds.

    The ratio of a round is ours / theirs. `at_least` and `at_most` bound the median ratio, or
    the median of ours where there are no `theirs`. `ceiling` has the figures of the same rounds of
    what ours runs on (`engine`), alone: where that does not hold the bound, no server can.
    `slowness` is how much slower the `machine` was in the same rounds: where ours stands alone, a
    bound on seconds is as much longer, one on figures a second as much lower.
    """

    name: str
    unit: str
    ours: Figures
    theirs: Figures = ()
    beside: str = ""
    at_least: float | None = None
    at_most: float | None = None
    ceiling: Figures = ()
    engine: str = "the engine"
    slowness: Figures = ()

    @property
    def ratios(self) -> Figures:
        """One a round; empty where ours stands alone, or beside a zero."""
        if not self.theirs or 0 in self.theirs:
            return ()
        return tuple(own / other for own, other in zip(self.ours, self.theirs, strict=True))

    @property
    def out_of_reach(self) -> float | None:
        """What `ceiling` is of theirs, where ours misses a bound, as `WANTED_SHARE` of it does."""
        if self._meets_bounds() or not self.ceiling:
            return None
        pairs = zip(self.ceiling, self.theirs, strict=True)
        best = statistics.median(own / other for own, other in pairs)
        low = self.at_least is not None and best * WANTED_SHARE < self.at_least
        high = self.at_most is not None and best / WANTED_SHARE > self.at_most
        return best if low or high else None

    @property
    def held(self) -> bool:
        """Whether the bound is, if it is within reach."""
        return self._meets_bounds(self.slowness) or self.out_of_reach is not None

    @property
    def _slower(self) -> float:
        """How much slower the machine was, where the bound is missed as it is; else 1."""
        if self._meets_bounds() or not self.slowness:
            return 1.0
        return statistics.median(self.slowness)

    def _meets_bounds(self, slowness: Figures = ()) -> bool:
        figures = self.ratios or self.ours
        pairs = list(zip(figures, slowness or [1.0] * len(figures), strict=True))
        low, high = self.at_least, self.at_most
        below = low is not None and statistics.median(one * slow for one, slow in pairs) < low
        above = high is not None and statistics.median(one / slow for one, slow in pairs) > high
        return not below and not above

    def cells(self) -> Cells:
        """As the table shows it."""
        ratio = ""
        if self.ratios:
            spread = f"{min(self.ratios):.2f}–{max(self.ratios):.2f}"
            ratio = f"{statistics.median(self.ratios):.2f} ({spread})"
        slower = "" if self._slower == 1 else f"{self._slower:.2f}"
        bound = [
            f"{sign} {value:g}" + (f" {change} {slower}" if slower else "")
            for sign, change, value in (("≥", "/", self.at_least), ("≤", "×", self.at_most))
            if value is not None
        ]
        verdict = f"{' '.join(bound)} {'✓' if self.held else '✗'}" if bound else ""
        best = self.out_of_reach
        if best is not None:
            verdict = f"{' '.join(bound)} is out of reach: {self.engine} gives {best:.2f}"
        theirs = f"{figure(self.theirs)} {self.beside}" if self.theirs else ""
        return self.name, f"{figure(self.ours)} {self.unit}", theirs, ratio, verdict


HEAD = ("", "prelabel", "beside it", "ratio (spread)", "bound")


def figure(values: Figures) -> str:
    """The median, to three digits."""
    middle = statistics.median(values)
    digits = 0 if middle >= 100 or middle == 0 else 1 if middle >= 10 else 2
    return f"{middle:,.{digits}f}"


def in_turns(rounds: int, *works: Callable[[], float]) -> tuple[Figures, ...]:
    """The figures of each work, called in turns, the order turned round each time.

    A first round, which warms all, is not counted.
    """
    found: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        order = range(len(works)) if number % 2 else reversed(range(len(works)))
        for index in order:
            value = works[index]()
            if number:
                found[index].append(value)
    return tuple(tuple(values) for values in found)


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second, of a work that does so many."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def show(rows: Iterable[Row], markdown: bool = False) -> Sequence[Row]:
    """Print the rows as they come, and give them back."""
    return _markdown(rows) if markdown else _drawn(rows)


def _markdown(rows: Iterable[Row]) -> Sequence[Row]:
    lines = [HEAD, ("---",) * len(HEAD)]
    console, made = Console(width=1000, highlight=False), list(rows)
    for cells in [*lines, *(row.cells() for row in made)]:
        console.print("| " + " | ".join(cells) + " |")
    return made


def _drawn(rows: Iterable[Row]) -> Sequence[Row]:
    console, made = Console(highlight=False), list[Row]()
    table = Table(*HEAD, title=machine())
    for row in rows:
        console.log(*row.cells(), sep="  ")  # a run takes minutes: what is known is shown
        table.add_row(*row.cells(), style=None if row.held else "red")
        made.append(row)
    console.print(table)
    return made

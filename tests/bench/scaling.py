"""What 10⁶, 10⁸ and 10⁹ tasks take on how many machines: python -m tests.bench.scaling

Writes the table of docs/scaling.md from measured rates. The model is a pipeline of four stages that
run at once (the reader, the driver, the actors, the store), of which the slowest decides, and of
what comes before and after them.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.bulk.ray_engine.division import MIN_PART_TASKS

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
TABLE = re.compile(r"(?<=<!-- tests/bench/scaling\.py -->\n\n)(?:^\|.*\n)+", re.MULTILINE)

TASKS = (10**6, 10**8, 10**9)
CORES = 16
"""Of a machine."""
DAY = 86_400.0

# Measured by tests.bench.ray_engine on 2 cores of an AMD EPYC that nothing else used, 29 November
# 2026: 20,000 and 220,000 tasks of `pattern` by one actor, beside the local engine. Times of the
# processor are of all processes, Ray's own included.
START_SECONDS = 16.0
"""The whole command for 20,000 tasks, 20.5 s, without 219 µs for each of them."""
READER_SECONDS = 0.3e-6
"""Of the processor, for a line of 80 bytes: to find it and to hash it."""
MERGE_SECONDS = 0.85e-6
"""Of the processor, for a task of 430 bytes in the merged file."""
PART_SECONDS = 0.043
"""Of the processor, for a part: 99 µs a task more than the local engine, of 463 parts more."""
DRIVER_PART_SECONDS = 0.013
"""The command's share of it: 12.6 ms, measured while other processes ran."""
ACTOR_PART_SECONDS = PART_SECONDS - DRIVER_PART_SECONDS
"""What is left: to take a part, to write it, to report it, and what Ray does for that."""

STORE_BYTES_PER_SECOND = 500e6
"""Assumed: what all machines together may write."""
API_TASKS_PER_SECOND = 200.0
"""Assumed: what one Label Studio stores through its API."""


@dataclass(frozen=True)
class Kind:
    """A kind of prediction: tasks a second of one core, and bytes of a written task."""

    name: str
    rate: float
    output_bytes: int


# Of docs/benchmarks.md and docs/files.md, half of what two cores do.
KINDS = (
    Kind("`pattern`, a line of text", 3700.0, 430),
    Kind("`ner`, BERT-base, a short text", 118.0, 600),
    Kind("`detection`, YOLO11n, an image", 30.5, 3000),
    Kind("`ocr`, a page", 2.8, 20_000),
)


@dataclass(frozen=True)
class Plan:
    """Tasks of a kind on a number of machines."""

    kind: Kind
    tasks: int
    machines: int

    @property
    def parts(self) -> int:
        """The number of parts: part N has N tasks, and at least `MIN_PART_TASKS`."""
        first = MIN_PART_TASKS * MIN_PART_TASKS
        if self.tasks <= first:
            return math.ceil(self.tasks / MIN_PART_TASKS)
        return math.ceil(math.sqrt(2 * (self.tasks - first) + MIN_PART_TASKS**2))

    @property
    def last_part_seconds(self) -> float:
        """Of one core: what all others wait for, and what a killed actor costs at the most."""
        return self.tasks / self.parts * 2 / self.kind.rate

    @property
    def stages(self) -> dict[str, float]:
        """The seconds of each stage, if it had no other to wait for."""
        work = self.tasks / self.kind.rate + self.parts * ACTOR_PART_SECONDS
        return {
            "actors": work / (self.machines * CORES),
            "reader": self.tasks * READER_SECONDS,
            "driver": self.parts * DRIVER_PART_SECONDS,
            "store": self.tasks * self.kind.output_bytes / STORE_BYTES_PER_SECOND,
        }

    @property
    def limit(self) -> str:
        """The stage that decides."""
        return max(self.stages, key=self.stages.__getitem__)

    @property
    def seconds(self) -> float:
        """From the start to the end of the merged file."""
        merged = self.tasks * MERGE_SECONDS
        return START_SECONDS + max(self.stages.values()) + self.last_part_seconds + merged


def machines_for(kind: Kind, tasks: int, seconds: float) -> Plan:
    """Return the fewest machines that are done in time, or those beyond which more do not help."""
    low, high = 1, 1
    while Plan(kind, tasks, high).seconds > seconds and Plan(kind, tasks, high).limit == "actors":
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        plan = Plan(kind, tasks, middle)
        if plan.seconds > seconds and plan.limit == "actors":
            low = middle + 1
        else:
            high = middle
    return Plan(kind, tasks, low)


HEAD = (
    *("", "tasks", f"one machine of {CORES} cores", "machines for a day", "then", "parts"),
    *("a killed actor costs", "through Label Studio's API"),
)


def cells() -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row of the table."""
    for kind in KINDS:
        for tasks in TASKS:
            alone, plan = Plan(kind, tasks, 1), machines_for(kind, tasks, DAY)
            yield (
                kind.name,
                f"10{_superscript(round(math.log10(tasks)))}",
                _duration(alone.seconds),
                f"{plan.machines:,}",
                f"{_duration(plan.seconds)} ({plan.limit})",
                f"{plan.parts:,}",
                _duration(plan.last_part_seconds),
                _duration(tasks / API_TASKS_PER_SECOND),
            )


def render() -> str:
    """Return the table in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *cells()]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _duration(seconds: float) -> str:
    for size, unit in ((DAY, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    """Write the table into the page."""
    page = PAGE.read_text("utf-8")
    PAGE.write_text(TABLE.sub(lambda _: render(), page), "utf-8")


if __name__ == "__main__":
    main()

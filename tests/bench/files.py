"""Time and memory of `prelabel validate`, `predict` and `evaluate` by the number of tasks.

`make bench-files` runs 10⁴, 10⁵ and 10⁶; the tests a smaller row of the same.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

REPO = Path(__file__).parents[2]
TEXT_CONFIG = (REPO / "backends" / "pattern" / "label_config.xml").read_text("utf-8")
BOX_CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image">
  <Label value="Car"/><Label value="Bus"/><Label value="Van"/>
</RectangleLabels></View>"""
# Regions of an annotation, and of a prediction.
REGIONS = 10
GROWTH = 1.5
"""How much longer a task may take where there are more of them."""

TASK = (
    '{"data":{"text":"Order %d of 3 May 2024 came to $5 million."},'
    '"predictions":[{"model_version":"one","score":0.5,"result":[{"id":"r%d","from_name":"label",'
    '"to_name":"text","type":"labels","value":{"start":0,"end":5,"text":"Order",'
    '"labels":["Product"]}}]}]}'
)
LAUNCHER = """
import os, subprocess, sys
_, status, used = os.wait4(subprocess.Popen(sys.argv[2:]).pid, 0)
open(sys.argv[1], "w").write(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: the kernel counts the memory of whoever starts a process as its own."""


def predicted_text(number: int) -> str:
    """Return a text with a prediction of one region, as a line of JSON."""
    return TASK % (number, number)


def annotated_image(number: int) -> str:
    """Return an annotated image with a prediction, as a line of JSON."""
    draw = Random(number)
    true, predicted = [], []
    for place in range(REGIONS):
        x, y, side = draw.uniform(0, 80), draw.uniform(0, 80), draw.uniform(5, 20)
        label = draw.choice(("Car", "Bus", "Van"))
        true.append(_box(f"t{place}", x, y, side, label))
        moved = x + draw.gauss(0, side / 10)
        guessed = label if draw.random() < 0.9 else "Car"
        predicted.append(_box(f"p{place}", moved, y, side, guessed) | {"score": draw.random()})
    annotation = {"id": number, "completed_by": 1, "result": true}
    prediction = {"model_version": "one", "score": 0.5, "result": predicted}
    task = {"id": number, "data": {"image": "a.png"}, "annotations": [annotation]}
    return orjson.dumps({**task, "predictions": [prediction]}).decode()


def _box(name: str, x: float, y: float, side: float, label: str) -> dict[str, Any]:
    place = {"x": round(x, 3), "y": round(y, 3), "width": side, "height": side, "rotation": 0}
    return {
        "id": name,
        "from_name": "box",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 640,
        "original_height": 480,
        "value": {**place, "rectanglelabels": [label]},
    }


@dataclass(frozen=True)
class Kind:
    """A command over a file of tasks, and the memory that it may use for any number of them."""

    file: str
    command: tuple[str, ...]
    label_config: str = TEXT_CONFIG
    line: Callable[[int], str] = predicted_text
    most_megabytes: float = 300.0
    most_tasks: int = 1_000_000


KINDS = {
    "validate .jsonl": Kind("tasks.jsonl", ("validate",)),
    "validate .json": Kind("tasks.json", ("validate",)),
    "validate .jsonl.gz": Kind("tasks.jsonl.gz", ("validate",)),
    "predict": Kind("tasks.jsonl", ("predict", "--backend", "pattern", "-o", "out.json")),
    "evaluate": Kind(
        "tasks.jsonl", ("evaluate", "--format", "json"), BOX_CONFIG, annotated_image, 500.0, 100_000
    ),
}


class Measured(NamedTuple):
    """One run: `seconds` of the clock, `busy` of the processor, `megabytes` at the peak."""

    kind: str
    tasks: int
    seconds: float
    busy: float
    megabytes: float

    def __str__(self) -> str:
        rate = self.tasks / self.seconds
        return (
            f"{self.kind:20} {self.tasks:>9,} {self.seconds:>9.1f} {self.busy:>9.1f}"
            f" {rate:>10,.0f} {self.megabytes:>8.0f}"
        )


def write(path: Path, tasks: int, line_of: Callable[[int], str] = predicted_text) -> None:
    """A file of so many tasks of one line each."""
    listed = ".json" in path.suffixes
    lines = map(line_of, range(tasks))
    with gzip.open(path, "wt", 1) if path.suffix == ".gz" else path.open("w") as file:
        for number, line in enumerate(lines):
            before = "" if not listed else "[\n" if number == 0 else ",\n"
            file.write(f"{before}{line}" if listed else f"{line}\n")
        file.write("\n]\n" if listed else "")


def measure(kind: str, tasks: int, folder: Path) -> Measured:
    """Run a command over a file of so many tasks, in a process of its own."""
    run_kind = KINDS[kind]
    name, command = run_kind.file, run_kind.command
    write(folder / name, tasks, run_kind.line)
    (folder / "label_config.xml").write_text(run_kind.label_config, "utf-8")
    words = [sys.executable, "-m", "shared.cli", command[0], name, *command[1:]]
    words += ["--label-config", "label_config.xml"]
    start = time.monotonic()
    with (folder / "log").open("wb") as log:
        run = subprocess.run(
            [sys.executable, "-c", LAUNCHER, str(folder / "used"), *words],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(REPO)},
        )
    assert run.returncode == 0, (folder / "log").read_text()[-2000:]
    seconds = time.monotonic() - start
    busy, kilobytes = map(float, (folder / "used").read_text().split())
    return Measured(kind, tasks, seconds, busy, kilobytes / 1000)


def faults(runs: Sequence[Measured], growth: float = GROWTH) -> Iterator[str]:
    """What is wrong with runs of growing numbers of tasks.

    Growth is that of the processor's time, which other processes disturb less, without that of
    the start, which the first run measures. Where the start outweighs the tasks, there is no
    telling.
    """
    start = runs[0]
    for run in runs:
        if run.megabytes > KINDS[run.kind].most_megabytes:
            yield f"{run.kind}, {run.tasks:,} tasks: {run.megabytes:.0f} MB"
    for fewer, more in pairwise(runs[1:]):
        if fewer.busy < 2 * start.busy:
            continue
        before = (fewer.busy - start.busy) / (fewer.tasks - start.tasks)
        after = (more.busy - start.busy) / (more.tasks - start.tasks)
        if after > growth * before:
            yield f"{more.kind}: a task costs {after / before:.1f} times as much at {more.tasks:,}"


@contextmanager
def space(folder: str | None = None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def main(*numbers: int) -> int:
    """Print a table; the exit status is 1 if it is too slow or too large."""
    numbers = numbers or (100, 10_000, 100_000, 1_000_000)
    head = f"{'':20} {'tasks':>9} {'seconds':>9} {'cpu s':>9} {'tasks/s':>10} {'peak MB':>8}"
    sys.stdout.write(f"{head}\n")
    wrong: list[str] = []
    for kind in KINDS:
        runs = []
        for tasks in (number for number in numbers if number <= KINDS[kind].most_tasks):
            with space() as folder:
                runs.append(measure(kind, tasks, folder))
            sys.stdout.write(f"{runs[-1]}\n")
            sys.stdout.flush()
        wrong += faults(runs)
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

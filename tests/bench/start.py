"""How long a server takes to start, and what it holds then: python -m tests.bench.start

Each kind of server is started once to convert its models into a cache, then again with them: only
that is measured. Memory is the proportional share of all its processes: beside other processes that
use Python and the same libraries, it is up to 17 MB less than alone.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import shared
from tests.bench.machine import measure_slowness
from tests.bench.table import Row, Size, in_turns, show, size_of, sized
from tests.serving import Served, children, served

ROUNDS = 3
STARTERS = {
    "DETECTION_MODEL": "starter",
    "NER_MODEL": "starter",
    "PROMPT_MODEL": "starter",
    "SEGMENT_MODEL": "starter",
    "SPEECH_ENGINE": "pocketsphinx",
    "SPEECH_MODEL": "starter",
    "TEXT_CLASSIFICATION_MODEL": "starter",
}
# The libraries that a server with converted models has no use for.
CONVERTERS = ("libtorch", "site-packages/transformers", "site-packages/ultralytics")


@dataclass(frozen=True)
class Bounds:
    """What a server may take at most: MB when it is idle, and seconds until it is ready."""

    megabytes: float
    ready_seconds: float


HEALTH_SECONDS = 1.5
EXAMPLE = Path(shared.__file__).parent.parent / "backends" / "pattern"
COMMANDS = (("--help",), ("validate", "--help"))
VALIDATE = (
    *("validate", str(EXAMPLE / "tasks.json")),
    *("--label-config", str(EXAMPLE / "label_config.xml")),
)
COMMAND_SECONDS = 0.4
BOUNDS = {
    ("pattern",): Bounds(110, 1.5),
    ("ner",): Bounds(300, 3),
    ("text_classification",): Bounds(300, 3),
    ("detection",): Bounds(350, 3),
    (): Bounds(500, 4),
}


class Start(NamedTuple):
    """One start: seconds until /health and /ready answer, those of the processor, MB, libraries."""

    health_seconds: float
    ready_seconds: float
    health_processor_seconds: float
    processor_seconds: float
    megabytes: float
    peak_megabytes: float
    libraries: Sequence[str]


def start(names: Sequence[str], folder: Path) -> Start:
    """Start a server that keeps its conversions in a folder, and measure it."""
    begin = time.perf_counter()
    variables = {**STARTERS, "CACHE_DIR": str(folder)}
    with served(*names, log=folder / "log", **variables) as server:
        server.wait("/health")
        health = time.perf_counter() - begin
        health_processor = sum(map(processor_seconds, processes_of(server)))
        server.wait("/ready")
        ready = time.perf_counter() - begin
        processes = processes_of(server)
        return Start(
            health,
            ready,
            health_processor,
            sum(map(processor_seconds, processes)),
            sum(share_of_memory(one) for one in processes),
            max(peak_memory(one) for one in processes),
            [one for one in CONVERTERS if any(one in maps(process) for process in processes)],
        )


def processes_of(server: Served) -> Sequence[int]:
    """The first process of a server, and its workers."""
    return [server.process.pid, *children(server.process.pid)]


def share_of_memory(process: int) -> float:
    """The MB of a process; what several share counts in parts (PSS)."""
    return _kilobytes(Path(f"/proc/{process}/smaps_rollup"), "Pss:") / 1000


def peak_memory(process: int) -> float:
    """The most MB that a process held at once."""
    return _kilobytes(Path(f"/proc/{process}/status"), "VmHWM:") / 1000


def _kilobytes(file: Path, name: str) -> float:
    [line] = [line for line in file.read_text().splitlines() if line.startswith(name)]
    return float(line.split()[1]) * 1.024


def processor_seconds(process: int) -> float:
    """The processor time of a process and of those that it has waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def maps(process: int) -> str:
    """The files that a process has mapped into its memory."""
    return Path(f"/proc/{process}/maps").read_text()


def run_command(*words: str) -> tuple[float, float]:
    """Return the seconds that a command of prelabel takes, and those of the processor."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "shared.cli", *words], check=True, capture_output=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, sum(after[:2]) - sum(before[:2])


def rows(size: Size = "whole") -> Iterator[Row]:
    """Of each kind of server: seconds until it answers and is ready, and what it holds idle."""
    rounds = sized(size, ROUNDS, 1, 1)
    named = {**{" ".join(words): words for words in COMMANDS}, "validate FILE": VALIDATE}
    for command, words in named.items():
        seconds, slowness = in_turns(rounds, partial(_seconds_of, words), measure_slowness)
        name = f"prelabel {command}"
        yield Row(name, "s", seconds, at_most=COMMAND_SECONDS, slowness=slowness)
    chosen = sized(size, list(BOUNDS), list(BOUNDS), [("pattern",)])
    with tempfile.TemporaryDirectory() as name:
        for names in chosen:
            yield from _rows_of(names, rounds, Path(name))


def _seconds_of(words: Sequence[str]) -> float:
    return run_command(*words)[0]


def _rows_of(names: Sequence[str], rounds: int, folder: Path) -> Iterator[Row]:
    title, bounds = ", ".join(names) or "all backends, with starters", BOUNDS[tuple(names)]
    if names != ("pattern",):
        start(names, folder)
    starts, slowness = list[Start](), list[float]()
    for _ in range(rounds):
        starts.append(start(names, folder))
        slowness.append(measure_slowness())
    steady = statistics.median(one.megabytes for one in starts)
    for what, figures, bound in (
        ("until /health answers", [one.health_seconds for one in starts], HEALTH_SECONDS),
        ("until it is ready", [one.ready_seconds for one in starts], bounds.ready_seconds),
    ):
        row = Row(f"{title}: {what}", "s", tuple(figures), at_most=bound)
        yield replace(row, slowness=tuple(slowness))
    megabytes = tuple(one.megabytes for one in starts)
    yield Row(f"{title}: idle", "MB", megabytes, at_most=bounds.megabytes)
    if names == ("ner",):
        peaks = tuple(one.peak_megabytes / steady for one in starts)
        yield Row(f"{title}: peak / idle", "", peaks, at_most=1.2)


if __name__ == "__main__":
    show(rows(size_of(sys.argv[1:])))

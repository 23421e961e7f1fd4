"""`prelabel predict --engine ray` beside the local engine: python -m tests.bench.ray_engine

A million tasks of one line on two nodes of this machine, of which one is killed in the middle;
what Ray costs a task; and images through a network by two actors. Rates leave out the start: a run
over few tasks is taken from one over many.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from shared.settings import child_environment
from tests.bench.files import LAUNCHER, REPO, TEXT_CONFIG
from tests.bench.scaling import KINDS, Plan
from tests.bench.table import Row, Size, show, size_of, sized

TASK = '{"id":%d,"data":{"text":"Order %d of 3 May 2024 came to $5 million."}}\n'
# How often the processor's time of all processes is read.
SAMPLING_SECONDS = 0.2
MAX_DRIVER_MEGABYTES = 1000.0
LEAST_OF_LOCAL_RATE = 0.9
LOCAL = "the local engine"


@dataclass(frozen=True)
class Run:
    """Seconds of the clock, of the processor by all processes, and the command's peak memory.

    `own` are the seconds of the processor that the command itself took.
    """

    seconds: float
    busy: float
    megabytes: float
    own: float


def rows(size: Size = "whole") -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        yield from killed_node(Path(name), sized(size, 1_000_000, 100_000, 1500))
    if size == "smallest":
        return
    with tempfile.TemporaryDirectory() as name:
        yield from overhead(Path(name), *sized(size, (20_000, 220_000), (2_000, 22_000), (0, 0)))
    with tempfile.TemporaryDirectory() as name:
        yield from images(Path(name), *sized(size, (200, 1200), (40, 240), (0, 0)))


# A node is killed


def killed_node(folder: Path, tasks: int) -> Iterator[Row]:
    with cluster(1, 1) as (nodes, address):
        while not (process := half_done(folder, tasks, address)):
            tasks *= 4
        nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
        run = ended(folder, process)
    name = f"Ray: {tasks:,} tasks on two nodes, one killed in the middle"
    wrong = sum(1 for _ in misplaced(folder / "out.jsonl", tasks))
    yield Row(f"{name}, missing or doubled", "tasks", (float(wrong),), at_most=0)
    yield Row(f"{name}, the command's memory", "MB", (run.megabytes,), at_most=MAX_DRIVER_MEGABYTES)
    yield Row(name, "s", (run.seconds,))


def half_done(folder: Path, tasks: int, address: str) -> "subprocess.Popen[bytes] | None":
    """Return a run over so many tasks when half of them are done; None if it has ended by then.

    On a busy machine this process may see a short run too late.
    """
    (folder / "out.jsonl").unlink(missing_ok=True)
    write_texts(folder / "in.jsonl", tasks)
    process = start(folder, "in.jsonl", *PATTERN, "-o", "out.jsonl", *ON_RAY, address=address)
    journal = folder / "out.jsonl.parts" / "run.jsonl"
    while process.poll() is None:
        if journal.exists():
            lines = journal.read_bytes().split(b"\n")[1:-1]
            if sum(orjson.loads(line)["tasks"] for line in lines) >= tasks // 2:
                return process
        time.sleep(0.05)
    assert process.returncode == 0, (folder / "log").read_text()[-3000:]
    return None


def misplaced(path: Path, tasks: int) -> Iterator[int]:
    """The numbers of tasks that are not where they belong, or were not predicted."""
    number = -1
    with path.open("rb") as file:
        for number, line in enumerate(file):
            task = orjson.loads(line)
            if task["id"] != number or len(task["predictions"]) != 1:
                yield number
    yield from range(number + 1, tasks)


# What Ray costs a task


def overhead(folder: Path, few: int, many: int) -> Iterator[Row]:
    """Processor seconds of a task with one actor, and with this process alone."""
    for count in (few, many):
        write_texts(folder / f"{count}.jsonl", count)
    local, ray = (
        [measure(folder, f"{count}.jsonl", *PATTERN, *engine) for count in (few, many)]
        for engine in ((), (*ON_RAY, "--actors", "1"))
    )
    name = f"Ray: a task of one line, of {many:,} by one actor"
    per_task = {}
    for what, pick in (("processor", "busy"), ("clock", "seconds")):
        ours, theirs = (
            (getattr(runs[1], pick) - getattr(runs[0], pick)) / (many - few)
            for runs in (ray, local)
        )
        per_task[what] = ours
        yield Row(f"{name}, {what}", "µs", (1e6 * ours,), (1e6 * theirs,), LOCAL)
    yield Row(
        f"Ray: {few:,} tasks with the start", "s", (ray[0].seconds,), (local[0].seconds,), LOCAL
    )
    start = ray[0].seconds - few * per_task["clock"]
    yield Row("Ray: the start, with an actor and its end", "s", (start,))
    yield from part_rows(local, ray, count_parts(many) - count_parts(few))


def part_rows(local: list[Run], ray: list[Run], parts: int) -> Iterator[Row]:
    """Milliseconds of the processor that a part takes beside its tasks."""
    own = ray[1].own - ray[0].own
    busy = ray[1].busy - ray[0].busy - (local[1].busy - local[0].busy)
    yield Row("Ray: a part, the command's processor", "ms", (1e3 * own / parts,))
    yield Row("Ray: a part, the other processes'", "ms", (1e3 * (busy - own) / parts,))


def count_parts(tasks: int) -> int:
    """Into how many parts tasks are divided."""
    return Plan(KINDS[0], tasks, 1).parts


# Images


def images(folder: Path, few: int, many: int) -> Iterator[Row]:
    """Images a second through YOLO11n at 640 pixels, by two actors."""
    from tests.backends.detection.networks import save_full_size_network
    from tests.bench.detection import decoded
    from tests.bench.photos import photos

    photos(folder, many)
    shown = [decoded(folder / f"{number}.jpg") for number in range(8)]
    weights = save_full_size_network("yolo11n", folder, shown)
    labels = "".join(f'<Label value="{number}"/>' for number in range(80))  # its classes' names
    (folder / "config.xml").write_text(
        f'<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
        f"{labels}</RectangleLabels></View>"
    )
    for count in (few, many):
        tasks = (f'{{"data":{{"image":"/data/local-files/?d={n}.jpg"}}}}\n' for n in range(count))
        (folder / f"{count}.jsonl").write_text("".join(tasks))
    settings = {"MODEL_DIR": str(folder), "DETECTION_MODEL": weights.name}
    settings |= {"LOCAL_FILES_ROOT": str(folder), "ANSWER_CACHE_MB": "0"}
    words = ("--label-config", "config.xml", "--backend", "detection")
    rates = []
    for engine in ((*ON_RAY, "--actors", "2"), ()):
        runs = [measure(folder, f"{n}.jsonl", *words, *engine, **settings) for n in (few, many)]
        rates.append((many - few) / (runs[1].seconds - runs[0].seconds))
    name = f"Ray: {many - few:,} images through YOLO11n by two actors"
    yield Row(name, "1/s", rates[:1], rates[1:], LOCAL, at_least=LEAST_OF_LOCAL_RATE)


# The command and the cluster

PATTERN = ("--label-config", "config.xml", "--backend", "pattern")
ON_RAY = ("--engine", "ray")


def write_texts(path: Path, tasks: int) -> None:
    with path.open("w") as file:
        file.writelines(TASK % (number, number) for number in range(tasks))
    (path.parent / "config.xml").write_text(TEXT_CONFIG, "utf-8")


@contextmanager
def cluster(*cores: int) -> Iterator[tuple[Any, str]]:
    """Nodes of so many cores each, all on this machine; the first is the head."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(REPO)  # of the nodes' processes
    nodes = Cluster(initialize_head=True, head_node_args=node_options(cores[0]))
    try:
        for count in cores[1:]:
            nodes.add_node(**node_options(count))
        yield nodes, nodes.address
    finally:
        nodes.shutdown()


def node_options(cores: int) -> dict[str, Any]:
    return {"num_cpus": cores, "object_store_memory": 100 << 20, "include_dashboard": False}


def start(
    folder: Path, *words: str, address: str | None = None, **settings: str
) -> "subprocess.Popen[bytes]":
    """Start `prelabel predict WORDS` in the folder."""
    variables = {"PYTHONPATH": str(REPO), **settings}
    variables |= {} if address is None else {"RAY_ADDRESS": address}
    launcher = [sys.executable, "-c", LAUNCHER, "used", sys.executable, "-m", "shared.cli"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [*launcher, "predict", *words],
            cwd=folder,
            env=child_environment(variables),
            stdout=log,
            stderr=log,
        )


def ended(folder: Path, process: "subprocess.Popen[bytes]") -> Run:
    """Wait for the end, and return what was measured of it and of all that it started."""
    launcher = psutil.Process(process.pid)
    started = launcher.create_time()
    busy: dict[psutil.Process, float] = {}
    commands: set[psutil.Process] = set()
    while process.poll() is None:
        with suppress(psutil.Error):
            commands.update(launcher.children())
            for one in launcher.children(recursive=True):
                with suppress(psutil.Error):
                    times = one.cpu_times()
                    busy[one] = times.user + times.system
        time.sleep(SAMPLING_SECONDS)
    assert process.returncode == 0, (folder / "log").read_text()[-3000:]
    _, kilobytes = map(float, (folder / "used").read_text().split())
    own = sum(busy.get(one, 0.0) for one in commands)
    return Run(time.time() - started, sum(busy.values()), kilobytes / 1000, own)


def measure(folder: Path, *words: str, **settings: str) -> Run:
    """Run `prelabel predict WORDS`."""
    (folder / "out.jsonl").unlink(missing_ok=True)
    return ended(folder, start(folder, *words, "-o", "out.jsonl", **settings))


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))

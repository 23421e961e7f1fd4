"""What an hour of sound costs, and who waits for it: python -m tests.bench.long_recording

A Whisper of the size of `tiny` with random weights transcribes an hour, as one task and as a bulk
request of parts of it. Beside it a user draws regions of another recording, at once after the
last answer and after a pause. The memory is that of the server and all its processes.
"""

import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from backends._sound.spoken import encode
from tests.backends.speech.tiny_whisper import convert_whisper, write_whisper
from tests.bench import speech
from tests.bench.table import Row, Size, show, size_of, sized
from tests.serving import Served, served

HOUR = 3600
# A bulk request has the hour in so many files.
FILES = 12
REQUESTS = {
    "as one task": ["hour.flac"],
    "in a bulk request": [f"part{number}.flac" for number in range(FILES)],
}
# After how many seconds a user draws again: with the longest, batches are cut for users no longer.
PAUSES = (0.0, 0.0, 6.0)
REGION = {
    "id": "r1", "from_name": "label", "to_name": "audio", "type": "labels",
    "value": {"start": 1.0, "end": 4.0, "labels": ["Speech"]},
}  # fmt: skip


def rows(size: Size = "whole") -> Iterator[Row]:
    """Memory and seconds of an hour, and the 95th percentile of a user's regions beside it."""
    seconds = sized(size, HOUR, HOUR // 6, 20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "whisper"
        source.mkdir()
        shape = {} if size == "smallest" else speech.SHAPE
        write_whisper(source, **shape, tokens=speech.TOKENS)
        model = convert_whisper(source, folder / "converted")
        write_sound(folder, seconds)
        settings = speech.server_settings(folder, model)
        with served("speech", log=folder / "log", **settings) as server:
            server.wait("/ready")
            draw_regions(server, (0.0,))
            idle = p95(draw_regions(server, itertools.repeat(0.0, sized(size, 20, 10, 1))))
            yield from cost(server, seconds)
            pauses = sized(size, PAUSES, PAUSES, (0.0,))
            for how in sized(size, REQUESTS, REQUESTS, ("as one task",)):
                yield from beside(server, seconds, how, idle, pauses)


def write_sound(folder: Path, seconds: int) -> None:
    """Write a recording for the user, the long one, and its parts."""
    speech.write_recordings(folder, 1)
    one = speech.opened(folder, 0).read(speech.RATE)
    whole = np.resize(one, seconds * speech.RATE)
    (folder / "hour.flac").write_bytes(encode(whole, "flac"))
    for number, part in enumerate(np.array_split(whole, FILES)):
        (folder / f"part{number}.flac").write_bytes(encode(part, "flac"))


def cost(server: Served, seconds: int) -> Iterator[Row]:
    title = title_of(seconds)
    with memory_of(server) as memory:
        start = time.perf_counter()
        ask(server, ["hour.flac"])
        alone = time.perf_counter() - start
    yield Row(f"{title}, as one task", "s", (alone,))
    yield Row(f"{title}, the server's memory", "MB at the most", (max(memory),), at_most=1500)


def beside(
    server: Served, seconds: int, how: str, idle: float, pauses: Sequence[float]
) -> Iterator[Row]:
    title = f"{title_of(seconds)}, {how}"
    with memory_of(server) as memory, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, server, REQUESTS[how])
        found = p95(draw_regions(server, while_running(asking, pauses)))
        asking.result()
    yield Row(f"{title}: p95 of a user's regions", "s", (found,), (idle,), "idle", at_most=3)
    name = f"{title}: memory beside a user"
    yield Row(name, "MB at the most", (max(memory),), at_most=1500)


def title_of(seconds: int) -> str:
    return f"speech: {seconds / 60:.2g} minutes of sound"


def while_running(asking: "Future[Any]", pauses: Sequence[float]) -> Iterator[float]:
    """The pauses of a user while a request runs; one at least."""
    for number, pause in enumerate(itertools.cycle(pauses)):
        if number and asking.done():
            return
        yield pause


def draw_regions(server: Served, pauses: Iterable[float]) -> list[float]:
    """Draw a region after each pause; return the seconds to each answer."""
    found: list[float] = []
    for pause in pauses:
        time.sleep(pause)
        start = time.perf_counter()
        [answer] = ask(server, ["0.flac"], {"result": [REGION]})
        found.append(time.perf_counter() - start)
        assert answer["result"], "the region has no text"
    return found


def ask(server: Served, names: Sequence[str], context: Any = None) -> list[Any]:
    tasks = [
        {"id": number, "data": {"audio": f"/data/local-files/?d={name}"}}
        for number, name in enumerate(names)
    ]
    params = {"context": context} if context else {}
    body = {"tasks": tasks, "label_config": speech.CONFIG, "project": "1.1", "params": params}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=HOUR)
    results: list[Any] = answer.raise_for_status().json()["results"]
    assert all(isinstance(found, dict) for found in results), "a task has failed"
    return results


def p95(values: Sequence[float]) -> float:
    return float(np.quantile(values, 0.95))


@contextmanager
def memory_of(server: Served) -> Iterator[list[float]]:
    """Yield a list of the megabytes of a server and its processes, five a second."""
    first = psutil.Process(server.process.pid)
    found: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while True:
            every = [first, *first.children(recursive=True)]
            found.append(sum(process.memory_info().rss for process in every) / 1e6)
            if ended.wait(0.2):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))

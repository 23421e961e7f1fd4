"""Users of other backends beside the prompt backend: python -m tests.bench.prompt

A server of models of our own answers each after a second; the prompt backend asks it 8, then 64
questions at a time, while a user of `pattern` sends one task after the other. Times with and
without are measured in turns, since the machine may be busy otherwise. The server of models has a
process of its own: its work is not to delay the user who is measured.
"""

import itertools
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.bench.bare_client import asking, bare_server
from tests.bench.table import WANTED_SHARE, Figures, Row, Size, show, size_of, sized
from tests.prompt.fault_server import FaultServer
from tests.serving import served

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ANSWER_SECONDS = 1.0
MOST_TIMES_ALONE = 1.2
CLIENT = "the openai client alone"
PATTERN = """<View><Text name="text" value="$text"/>
  <Labels name="label" toName="text"><Label value="Email" regex="[a-z]+@[a-z]+"/></Labels></View>"""
PROMPT = """<View><Text name="text" value="$text"/>
  <Choices name="mood" toName="text" model_backend="prompt">
    <Choice value="Good"/><Choice value="Bad"/></Choices></View>"""
BULK_TASKS = 64
_numbers = itertools.count()


def body(config: str, texts: list[str]) -> dict[str, Any]:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    return {"tasks": tasks, "label_config": config, "project": "1.1"}


def time_user(url: str, seconds: float) -> list[float]:
    """Return the milliseconds of each request of one user of `pattern`: of two at least."""
    times: list[float] = []
    end = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=30, verify=False) as client:
        while time.monotonic() < end or len(times) < 2:
            sent = body(PATTERN, [f"mail a@b {next(_numbers)}"])
            start = time.perf_counter()
            client.post("/predict", json=sent).raise_for_status()
            times.append((time.perf_counter() - start) * 1000)
            time.sleep(0.005)
    return times


@contextmanager
def bulk_load(url: str, count: int) -> Iterator[None]:
    """Retrieve predictions for `count` new tasks at a time, all the time."""
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=url, timeout=120, verify=False) as client:
            while not stop.is_set():
                texts = [f"task {next(_numbers)}" for _ in range(count)]
                client.post("/predict", json=body(PROMPT, texts)).raise_for_status()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def server_of_models(seconds: float) -> Iterator["Connection[Any, Any]"]:
    """Run it in a process of its own, which sends its address, and then what it was asked."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve_models, args=(theirs, seconds)
    )
    process.start()
    try:
        yield ours
    finally:
        ours.send(False)
        process.join()


def serve_models(connection: "Connection[Any, Any]", seconds: float) -> None:
    with FaultServer(seconds=seconds) as models:
        connection.send(models.url)
        while connection.recv():
            connection.send(len(models.asked))


def count_asked(models: "Connection[Any, Any]") -> int:
    """Return how many questions the server of models has got."""
    models.send(True)
    found: int = models.recv()
    return found


def rows(size: Size = "whole") -> Iterator[Row]:
    """Yield the 95th percentile of one user's times beside and without the questions."""
    turns, seconds = sized(size, (4, 4.0), (2, 2.0), (1, 0.3))
    # A request that has begun is waited for at the end.
    bulk = sized(size, (BULK_TASKS, ANSWER_SECONDS), (BULK_TASKS, ANSWER_SECONDS), (8, 0.2))
    for at_once in sized(size, (8, 64), (8,), (8,)):
        name = f"prompt: p95 of a user of `pattern` beside {at_once} questions at once"
        with Measurement(at_once, *bulk) as measurement:
            alone, beside, client = measurement.take_turns(turns, seconds)
            yield Row(
                name, "ms", beside, alone, "without",
                at_most=MOST_TIMES_ALONE, ceiling=client, engine=CLIENT,
            )  # fmt: skip
            yield Row(name, "ms", beside, client, CLIENT, at_most=1 / WANTED_SHARE)
        if at_once > 8:
            with Measurement(at_once, *bulk, own_server=True) as measurement:
                alone, beside, _ = measurement.take_turns(turns, seconds)
            name += " by a server of their own"
            yield Row(name, "ms", beside, alone, "without", at_most=MOST_TIMES_ALONE)


class Measurement:
    """Servers, one of them of a model that takes `answer_seconds`, and what users notice.

    The load is requests of `count` tasks each; the model is asked so many questions `at_once`. The
    user asks the same server, or another one if the questions have an `own_server`.
    """

    def __init__(
        self, at_once: int, count: int, answer_seconds: float, own_server: bool = False
    ) -> None:
        self._at_once, self._count, self._answer_seconds = at_once, count, answer_seconds
        self._own_server = own_server
        self._opened = ExitStack()

    def __enter__(self) -> "Measurement":
        with ExitStack() as opened:
            self._folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            self._models = opened.enter_context(server_of_models(self._answer_seconds))
            url = self._models.recv()
            variables = {"PROMPT_BASE_URL": url, "PROMPT_CONCURRENCY": str(self._at_once)}

            def start(*names: str) -> str:
                log = self._folder / f"log of {names[0]}"
                server = served(*names, log=log, PROMPT_MODEL="any", **variables)
                running = opened.enter_context(server)
                running.wait("/ready")
                return running.url

            self._asking = start("prompt", "pattern")
            self._users = start("pattern") if self._own_server else self._asking
            self._bare = opened.enter_context(bare_server(url))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def take_turns(self, turns: int, seconds: float) -> tuple[Figures, Figures, Figures]:
        """Return one 95th percentile in milliseconds a turn: without and beside the questions.

        Then what the first would become beside the `openai` client alone.
        """
        for url in (self._users, self._bare):
            time_user(url, seconds / 4)
        with bulk_load(self._asking, self._count):
            pass  # the model is loaded
        figures = [self._take_turn(seconds) for _ in range(turns)]
        alone, beside, client = zip(*figures, strict=True)
        return alone, beside, client

    def _take_turn(self, seconds: float) -> tuple[float, float, float]:
        alone = find_percentile(time_user(self._users, seconds))
        before = count_asked(self._models)
        with bulk_load(self._asking, self._count):
            beside = find_percentile(time_user(self._users, seconds))
        assert count_asked(self._models) >= before + self._at_once
        bare_alone = find_percentile(time_user(self._bare, seconds))
        with asking(self._bare, self._at_once, self._answer_seconds):
            bare_beside = find_percentile(time_user(self._bare, seconds))
        return alone, beside, alone * bare_beside / bare_alone


def find_percentile(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[94]


if __name__ == "__main__":
    sys.exit(0 if all(row.held for row in show(rows(size_of(sys.argv)))) else 1)

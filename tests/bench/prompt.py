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
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tests.bench.bare_client import asking, bare_server
from tests.bench.table import WANTED_SHARE, Figures, Row, Size, show, size_of, sized
from tests.prompt.fault_server import FaultServer
from tests.serving import served

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ANSWER_SECONDS = 1.0
MOST_TIMES_ALONE = 1.2
FEW = 8
"""Questions at once by default."""
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
    for at_once in sized(size, (FEW, 64), (FEW,), (FEW,)):
        name = f"prompt: p95 of a user of `pattern` beside {at_once} questions at once"
        same, apart, client = measure(at_once, turns, seconds, *bulk)
        yield Row(
            name, "ms", same.beside, same.alone, "without",
            at_most=MOST_TIMES_ALONE, ceiling=client, engine=CLIENT,
        )  # fmt: skip
        yield Row(name, "ms", same.beside, client, CLIENT, at_most=1 / WANTED_SHARE)
        if at_once > FEW:
            name += " by a server of their own"
            figures = apart.beside, apart.alone
            yield Row(name, "ms", *figures, "without", at_most=MOST_TIMES_ALONE)


class User(NamedTuple):
    """One 95th percentile a turn, in milliseconds, without the questions and beside them."""

    alone: Figures
    beside: Figures


def measure(
    at_once: int, turns: int, seconds: float, count: int, answer_seconds: float
) -> tuple[User, User, Figures]:
    """Measure a user of the server that asks the questions, and one of another server.

    The questions are of requests of `count` tasks each; the model takes `answer_seconds` for one.
    Then come the figures that the first user would have beside the `openai` client alone.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        models = opened.enter_context(server_of_models(answer_seconds))
        models_url = models.recv()
        variables = {
            "PROMPT_MODEL": "any",
            "PROMPT_BASE_URL": models_url,
            "PROMPT_CONCURRENCY": str(at_once),
        }

        def start(*names: str) -> str:
            log = folder / f"log of {names[-1]}"
            server = opened.enter_context(served(*names, log=log, **variables))
            server.wait("/ready")
            return server.url

        def time_one(url: str) -> float:
            return find_percentile(time_user(url, seconds))

        same, apart = start("pattern", "prompt"), start("pattern")
        bare = opened.enter_context(bare_server(models_url, folder / "log of the client"))
        for url in (same, apart, bare):
            time_user(url, seconds / 4)
        with bulk_load(same, count):
            pass  # the model is loaded

        def take_turn() -> tuple[float, ...]:
            alone = time_one(same), time_one(apart)
            before = count_asked(models)
            with bulk_load(same, count):
                beside = time_one(same), time_one(apart)
            assert count_asked(models) >= before + at_once
            bare_alone = time_one(bare)
            with asking(bare, at_once, answer_seconds):
                slower = time_one(bare) / bare_alone
            return *alone, *beside, alone[0] * slower

        figures = zip(*(take_turn() for _ in range(turns)), strict=True)
        alone, alone_apart, beside, beside_apart, client = figures
    return User(alone, beside), User(alone_apart, beside_apart), client


def find_percentile(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[94]


if __name__ == "__main__":
    sys.exit(0 if all(row.held for row in show(rows(size_of(sys.argv)))) else 1)

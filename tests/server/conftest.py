"""Real servers with the backend of `gated`, whose doors the test opens."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Served, served
from tests.tiny import TEXT_CONFIG, tasks

MODEL = f"{Path(__file__).parent / 'gated.py'}:GatedBackend"
PATIENCE = 60.0
"""Seconds for what should come at once, on a machine that others use too."""


@dataclass
class Gated:
    """A server and the folder of its backend's gates."""

    server: Served
    gates: Path

    def open(self, *names: str) -> None:
        """Let those go on who wait for these."""
        for name in names:
            (self.gates / name).touch()

    def log(self, kind: str) -> list[str]:
        """What the backend has loaded, read, began or ran so far."""
        path = self.gates / f"{kind}.log"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, holds: Callable[[], Any]) -> None:
        """Wait for something that is about to be so."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.server.log.read_text()[-2000:]
            time.sleep(0.01)

    def predict(self, *texts: Any, context: Any = None) -> Any:
        """The results for texts."""
        answer = httpx.post(
            f"{self.server.url}/predict", json=body(*texts, context=context), timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def begin(self, *texts: Any, context: Any = None) -> "Begun":
        """The same in a thread of its own."""
        begun = Begun(lambda: self.predict(*texts, context=context))
        begun.start()
        return begun

    def metric(self, start: str) -> float:
        """A figure of /metrics; 0 where it is not there."""
        lines = httpx.get(f"{self.server.url}/metrics", timeout=PATIENCE).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


class Begun(threading.Thread):
    """A request under way."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.results: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.results = self._work()
        except Exception as error:
            self.error = error

    def result(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.results


def body(*texts: Any, context: Any = None) -> dict[str, Any]:
    return {
        "tasks": tasks(*texts),
        "label_config": TEXT_CONFIG,
        "project": "12.1700000000",
        "params": {"login": None, "password": None, "context": context},
    }


def marked(results: Sequence[Any]) -> list[str | None]:
    """The text of each answer's region; None for a task without a prediction."""
    return [found["result"][0]["value"]["text"] if found else None for found in results]


@pytest.fixture
def gated(tmp_path: Path) -> Callable[..., AbstractContextManager[Gated]]:
    """A server with these environment variables; its model loads at once unless told."""

    @contextmanager
    def start(load: bool = True, **variables: str) -> Iterator[Gated]:
        gates = tmp_path / "gates"
        gates.mkdir(exist_ok=True)
        if load:
            (gates / "load").touch()
        number = len(list(tmp_path.glob("log*")))
        with served(MODEL, log=tmp_path / f"log{number}", GATES=str(gates), **variables) as server:
            server.wait()
            yield Gated(server, gates)

    return start

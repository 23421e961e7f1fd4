"""Real servers with the backend of `gated`, whose gates a test opens."""

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
# How long to wait for what should happen at once, on a machine that others use too.
PATIENCE_SECONDS = 60.0


@dataclass
class GatedServer:
    """A server and the folder of its backend's gates."""

    server: Served
    gates: Path

    def open(self, *names: str) -> None:
        """Open gates: what waits for them continues."""
        for name in names:
            (self.gates / name).touch()

    def log(self, kind: str) -> list[str]:
        """Return what the backend has loaded, read, begun or run so far."""
        path = self.gates / f"{kind}.log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.server.log.read_text()[-2000:]
            time.sleep(0.01)

    def predict(self, *texts: Any, context: Any = None) -> Any:
        """Return the results for texts."""
        answer = httpx.post(
            f"{self.server.url}/predict",
            json=predict_body(*texts, context=context),
            timeout=PATIENCE_SECONDS,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def start_predict(self, *texts: Any, context: Any = None) -> "RunningRequest":
        """Do the same in a thread."""
        request = RunningRequest(lambda: self.predict(*texts, context=context))
        request.start()
        return request

    def metric(self, start: str) -> float:
        """Return the sum of the metrics whose lines start so; 0 if there are none."""
        lines = httpx.get(f"{self.server.url}/metrics", timeout=PATIENCE_SECONDS).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


class RunningRequest(threading.Thread):
    """A request in a thread."""

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
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.results


def predict_body(*texts: Any, context: Any = None) -> dict[str, Any]:
    return {
        "tasks": tasks(*texts),
        "label_config": TEXT_CONFIG,
        "project": "12.1700000000",
        "params": {"login": None, "password": None, "context": context},
    }


def region_texts(results: Sequence[Any]) -> list[str | None]:
    """Return the text of each prediction's region; None for a task without a prediction."""
    return [result["result"][0]["value"]["text"] if result else None for result in results]


@pytest.fixture
def gated(tmp_path: Path) -> Callable[..., AbstractContextManager[GatedServer]]:
    """Return a function that starts a server; its model loads at once unless `load` is False."""

    @contextmanager
    def start(load: bool = True, **variables: str) -> Iterator[GatedServer]:
        gates = tmp_path / "gates"
        gates.mkdir(exist_ok=True)
        if load:
            (gates / "load").touch()
        number = len(list(tmp_path.glob("log*")))
        with served(MODEL, log=tmp_path / f"log{number}", GATES=str(gates), **variables) as server:
            server.wait()
            yield GatedServer(server, gates)

    return start

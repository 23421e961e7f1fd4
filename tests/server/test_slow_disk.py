"""A server whose libraries come from a slow disk: it is not ended, and says what it waits for.

What is imported waits at named pipes for as long as the test likes.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.serving import Served, children, served

TIMEOUT_SECONDS = 1
# gunicorn looks once a second for workers that give no sign of life.
UNTIL_ENDED_SECONDS = TIMEOUT_SECONDS + 1.5

PROGRAM = f"""
from shared.cli import main
from shared.server import gunicorn_app
gunicorn_app.TIMEOUT_SECONDS = {TIMEOUT_SECONDS}
main()
"""
MODEL = """
from pathlib import Path
from shared.backend import Backend, ModelSpec

Path("file begun").touch()
Path("file").read_bytes()

class Slow(Backend):
    name = "slow"
    modules = ("slow_library",)

    def default_specs(self):
        return [ModelSpec("slow", "slow")]

    def infer(self, model, items):
        return items

    def regions(self, output, claim):
        return []
"""
LIBRARY = """
import ctypes, os
from pathlib import Path

Path("library begun").touch()
Path("library").read_bytes()
Path("linking begun").touch()
# As the dynamic linker, which reads a library while this thread holds the GIL.
os.close(ctypes.PyDLL(None).open(b"linking", os.O_RDONLY))
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    (tmp_path / "slow.py").write_text(MODEL)
    (tmp_path / "slow_library.py").write_text(LIBRARY)
    for name in ("file", "library", "linking"):
        os.mkfifo(tmp_path / name)
    root = str(Path(__file__).parents[2])
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log"
    with served("slow.py:Slow", log=log, program=("-c", PROGRAM), PYTHONPATH=root) as server:
        yield server


def test_imports_of_minutes_end_no_worker(server: Served, tmp_path: Path) -> None:
    def stay_long(what: str) -> None:
        wait_for((tmp_path / f"{what} begun").exists, server)
        time.sleep(UNTIL_ENDED_SECONDS)
        assert "WORKER TIMEOUT" not in server.log.read_text()

    def go_on(what: str) -> None:
        os.close(os.open(tmp_path / what, os.O_WRONLY))  # which waits for the reader

    stay_long("file")
    [worker] = children(server.process.pid)
    go_on("file")
    stay_long("library")
    with httpx.Client(base_url=server.url, timeout=300) as client:
        assert client.get("/health").status_code == 200
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["waiting"]) == (503, {"slow": "importing"})
    go_on("library")
    stay_long("linking")
    go_on("linking")
    server.wait("/ready")
    assert children(server.process.pid) == [worker]
    # From now on, it is ended as soon as it hangs.
    wait_for(lambda: last_sign(worker) <= time.monotonic(), server)


def wait_for(condition: Callable[[], bool], server: Served, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, server.end_of_log()
        time.sleep(0.05)


def last_sign(worker: int) -> float:
    """When a worker gave its last sign of life: the time of a file that gunicorn looks at."""
    for file in Path(f"/proc/{worker}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            if "wgunicorn-" in os.readlink(file):
                return file.stat().st_mtime
    raise AssertionError("it has no such file")

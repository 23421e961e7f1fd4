"""The server beside label-studio-ml's own, by wrk: python -m tests.bench.serving [--quick]

Without wrk (a Debian package) only the rows that need none are there.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from backends.pattern import PatternBackend
from shared.backend.example import FILES_ROOT, Example
from shared.backend.registry import find_backends
from tests.bench.machine import at_pace, interpreter_slowness
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import children, free_port, served
from tests.test_probes import (
    CLIENTS,
    NAMES,
    SETTINGS,
    p99,
    probe_while_loading,
    probe_while_predicting,
)

WITHOUT_WRK = "wrk is not installed (apt-get install wrk): its rows are left out"
USERS = 16
LABEL_STUDIO = {
    "meta": {}, "created_at": "2026-01-01T09:00:00.000000Z",
    "updated_at": "2026-01-01T09:00:00.000000Z", "is_labeled": False, "overlap": 1,
    "inner_id": 1, "total_annotations": 0, "cancelled_annotations": 0, "total_predictions": 0,
    "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": None,
    "project": 1, "updated_by": None, "file_upload": None, "comment_authors": [],
    "annotations": [], "predictions": [],
}  # fmt: skip
"""What Label Studio sends with each task beside `id` and `data`."""
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local body = [==[%s]==]
local number = %d
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, (body:gsub("@NUMBER@", number)))
end
done = function(summary, latency, requests)
  io.write(string.format("errors %%d\\n", summary.errors.status + summary.errors.timeout))
  io.write(string.format("rate %%f\\n", summary.requests / summary.duration * 1e6))
  for _, p in pairs({50, 95, 99}) do
    io.write(string.format("p%%d %%f\\n", p, latency:percentile(p) / 1000))
  end
end
"""


def rows(size: Size = "whole") -> Iterator[Row]:
    """The rows of serving."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if shutil.which("wrk"):
            yield from _overhead(home, size)
            for backend in ("ner", "detection")[: sized(size, 2, 2, 1)]:
                yield from _beside_bulk(home, size, backend)
        else:
            sys.stderr.write(f"{WITHOUT_WRK}\n")
        yield from _thousand(home, size)
        yield from _memory(home, size)
        yield from _recovery(home, size)
        if size != "smallest":  # tests/test_probes.py does the same
            yield from _probes(home, size)


# (a) What the protocol costs


def _overhead(home: Path, size: Size) -> Iterator[Row]:
    rounds, seconds = sized(size, (5, 4), (2, 2), (1, 1))
    sent = _request([_task(1, Example.load(PatternBackend).tasks[0]["data"])])
    with served("pattern", log=home / "ours.log") as server, _label_studio_ml(home) as theirs:
        server.wait()
        _same_results(server.url, theirs, sent)
        for clients in sized(size, (1, USERS), (1, USERS), (USERS,)):

            def asked(url: str, clients: int = clients) -> Callable[[], float]:
                return lambda: wrk(url, sent, clients, seconds)["rate"]

            ours, other = in_turns(rounds, asked(server.url), asked(theirs))
            name = f"serving: requests, {clients} client{'s' if clients > 1 else ''}"
            yield Row(name, "1/s", ours, other, "label-studio-ml 1.0.9", at_least=1)


@contextmanager
def _label_studio_ml(home: Path) -> Iterator[str]:
    """Its own server with an equal model, as its documentation starts it: 1 worker, 8 threads."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "8", "--bind"]
    command += [f"127.0.0.1:{port}", "tests.bench.equal_model:application()"]
    with (home / "theirs.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"MODEL_DIR": str(home)}
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: httpx.get(f"{url}/health").status_code == 200)
        setup = {"project": "1.1700000000", "schema": Example.load(PatternBackend).label_config}
        httpx.post(f"{url}/setup", json=setup).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


def _same_results(ours: str, theirs: str, sent: str) -> None:
    """Both servers find the same; ours says ids besides."""
    found = []
    for url in (ours, theirs):
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(f"{url}/predict", content=sent, headers=headers)
        [result] = answer.json()["results"]
        found.append([{k: v for k, v in r.items() if k != "id"} for r in result["result"]])
    assert found[0] == found[1], found
    assert found[0], "nothing was found"


# Many tasks in one request


def _thousand(home: Path, size: Size) -> Iterator[Row]:
    text = Example.load(PatternBackend).tasks[0]["data"]["text"]
    sent = _request([_task(n, {"text": f"{n}: {text}"}) for n in range(1000)])
    with served("pattern", log=home / "thousand.log") as server:
        server.wait()
        with httpx.Client(base_url=server.url, timeout=60) as client:

            def ask() -> None:
                answer = client.post("/predict", content=sent)
                assert len(orjson.loads(answer.content)["results"]) == 1000

            work = partial(rate, 1000, ask)
            ours, slowness = at_pace(sized(size, 15, 4, 1), work)
    name = "serving: tasks of one request of 1,000"
    yield Row(name, "tasks/s", ours, at_least=5000, slowness=slowness)


# (e) Users beside a bulk request


def _beside_bulk(home: Path, size: Size, backend: str) -> Iterator[Row]:
    """Users open one task each, the next when the last is there; nothing is kept of answers."""
    rounds, seconds = sized(size, (3, 5), (1, 3), (1, 1))
    example = Example.load(find_backends()[backend])
    data = [task["data"] for task in example.tasks]
    users = _request([_task(1, data[0])], example.label_config)
    many = [_task(number, data[number % len(data)]) for number in range(20_000)]
    bulk = _request(many, example.label_config)
    figures: list[tuple[dict[str, float], dict[str, float]]] = []
    variables = SETTINGS | {"ANSWER_CACHE_MB": "0"}
    with served(backend, log=home / f"{backend}.log", **variables) as server:
        server.wait("/ready")
        wrk(server.url, users, USERS, sized(size, 2, 2, 1))
        for _ in range(rounds):
            idle = wrk(server.url, users, USERS, seconds)
            with _bulk(server.url, bulk, f"{backend}-starter"):
                figures.append((wrk(server.url, users, USERS, seconds), idle))
    for name in ("p50", "p95", "p99"):
        beside, idle_ones = zip(*((a[name], b[name]) for a, b in figures), strict=True)
        title = f"serving: {backend}, {name} of {USERS} users beside a bulk request"
        bound = 3 if name == "p95" else None
        yield Row(title, "ms", tuple(beside), tuple(idle_ones), "idle", at_most=bound)


@contextmanager
def _bulk(url: str, sent: str, model: str) -> Iterator[None]:
    """A large request that is running meanwhile; then its client leaves."""
    client = httpx.Client(base_url=url, timeout=120)

    def ask() -> None:
        with suppress(httpx.HTTPError):
            client.post("/predict", content=sent)
            raise AssertionError("The bulk request ended before the users did")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        _until(lambda: _metric(url, f'prelabel_queue_items{{model="{model}"}}') > 0)
        yield
        assert thread.is_alive()
    finally:
        _shut(client)
        thread.join()


def _shut(client: httpx.Client) -> None:
    """Close its connection under the request that waits for an answer."""
    pool: Any = client._transport
    for connection in pool._pool.connections:
        stream = connection._connection._network_stream
        with suppress(OSError):
            stream.get_extra_info("socket").shutdown(2)
    client.close()


# (f) Memory


def _memory(home: Path, size: Size) -> Iterator[Row]:
    """Texts never asked before, images, errors: what is kept is full after the first part.

    The figures are of several moments in the tenth before each of the two.
    """
    few, many = sized(size, (1000, 10_000), (200, 2000), (50, 100))
    moments = {end: range(end - few // 10, end + 1, few // 50) for end in (few, many)}
    variables = {"NER_MODEL": "starter", "DETECTION_MODEL": "starter", "ANSWER_CACHE_MB": "2"}
    variables |= {"LOCAL_FILES_ROOT": str(FILES_ROOT), "LOG_LEVEL": "ERROR"}
    names = ("pattern", "ner", "detection")[: sized(size, 3, 3, 2)]
    examples = [Example.load(find_backends()[name]) for name in names]
    with served(*names, log=home / "memory.log", **variables) as server:
        server.wait("/ready")
        with httpx.Client(base_url=server.url, timeout=60) as client:
            sizes: dict[int, float] = {}
            for number in range(1, many + 1):
                _mixed(client, examples, number)
                if any(number in found for found in moments.values()):
                    sizes[number] = _metric(server.url, "prelabel_memory_bytes") / 1e6
    before, after = (tuple(sizes[number] for number in moments[end]) for end in (few, many))
    name = f"serving: memory after {many:,} requests"
    yield Row(name, "MB", after, before, f"after {few:,}", at_most=1.05)


def _mixed(client: httpx.Client, examples: list[Example], number: int) -> None:
    if number % 50 == 49:
        assert client.post("/predict", content=b"{").status_code == 422
        return
    example = examples[-1 if number % 20 == 0 else number % 2]
    sent = json.loads(json.dumps(example.predict_request()))
    for task in sent["tasks"]:
        if "text" in task["data"]:
            task["data"]["text"] = f"{number} {task['data']['text']}"
    sent["tasks"].append({"id": 0, "data": {}})
    path = f"/{example.backend}/predict"
    answer = client.post(path, json=sent)
    assert answer.json()["results"][-1] == [], answer.text


# Faults


def _recovery(home: Path, size: Size) -> Iterator[Row]:
    """From SIGKILL of the only worker, busy with requests, to the next answer."""
    sent = _request([_task(1, {"text": "On 3 May 2024"})])

    def recovered(server: Any) -> float:
        os.kill(children(server.process.pid)[0], signal.SIGKILL)
        start = time.perf_counter()
        _until(lambda: httpx.post(f"{server.url}/predict", content=sent).status_code == 200)
        return time.perf_counter() - start

    with served("pattern", log=home / "killed.log") as server:
        server.wait()
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                with suppress(httpx.HTTPError):
                    httpx.post(f"{server.url}/predict", content=sent)

        clients = [threading.Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        [seconds] = in_turns(sized(size, 5, 2, 1), lambda: recovered(server))
        stop.set()
        for client in clients:
            client.join()
    yield Row("serving: a worker is killed, to the next answer", "s", seconds, at_most=5)


def _probes(home: Path, size: Size) -> Iterator[Row]:
    """/health and /setup, the slower of both, as Label Studio asks them."""
    loading: list[float] = []
    busy: dict[str, list[float]] = {"0": [], "64": []}
    slowness: dict[str, list[float]] = {"0": [], "64": []}
    for number in range(1 if size == "quick" else 3):
        for kept, found in busy.items():
            variables = SETTINGS | {"CACHE_DIR": str(home / "cache"), "ANSWER_CACHE_MB": kept}
            with served(*NAMES, log=home / f"probes{number}.log", **variables) as server:
                server.wait("/health")
                loading.append(max(map(max, probe_while_loading(server).values())) * 1000)
                times = probe_while_predicting(server, sized(size, 20, 5, 5))
                found.append(max(map(p99, times.values())) * 1000)
            slowness[kept].append(statistics.fmean(interpreter_slowness() for _ in range(20)))
    yield Row("serving: longest probe while models load", "ms", tuple(loading), at_most=500)
    for kept, found in busy.items():
        what = "what was asked before" if int(kept) else "with every answer inferred"
        name = f"serving: p99 of probes while {CLIENTS} clients predict, {what}"
        yield Row(name, "ms", tuple(found), at_most=100, slowness=tuple(slowness[kept]))


# What they lean on


def wrk(url: str, sent: str, clients: int, seconds: int) -> dict[str, float]:
    """Requests a second as `rate`, latencies in ms as `p50`, `p95`, `p99`."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % (sent, time.time_ns() // 1000 % 10**12))
        script.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s"]
        command += [script.name, f"{url}/predict"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {name: float(value) for name, value in re.findall(r"^(\w+) ([\d.]+)$", output, re.M)}
    assert found["errors"] == 0, output
    return found


def _request(tasks: list[dict[str, Any]], config: str | None = None) -> str:
    config = config or Example.load(PatternBackend).label_config
    params = {"login": None, "password": None, "context": None}
    sent = {"tasks": tasks, "label_config": config, "project": "1.1700000000", "params": params}
    return json.dumps(sent)


def _task(number: int, data: Any) -> dict[str, Any]:
    return {"id": number, "data": data, **LABEL_STUDIO}


def _metric(url: str, name: str) -> float:
    for line in httpx.get(f"{url}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            if holds():
                return
        time.sleep(0.005)
    raise AssertionError("It did not come to be within a minute")


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))

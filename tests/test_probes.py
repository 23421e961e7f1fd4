"""Label Studio's probes: it gives up on /health after 1 s, and skips predictions then."""

import statistics
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.examples import FILES_ROOT, Example
from shared.routing import find_backends
from tests.serving import Served, served

SETTINGS = {
    "DETECTION_MODEL": "starter",
    "NER_MODEL": "starter",
    "LOCAL_FILES_ROOT": str(FILES_ROOT),
}
CLIENTS = 16


def probe(url: str, config: str, until: "threading.Event") -> dict[str, list[float]]:
    """The seconds that each /health and /setup took, one after the other, till the event."""
    times: dict[str, list[float]] = {"/health": [], "/setup": []}
    with httpx.Client(base_url=url, timeout=10, verify=False) as client:
        while not until.is_set():
            for path, took in times.items():
                start = time.perf_counter()
                if path == "/health":
                    answer = client.get(path)
                else:
                    answer = client.post(path, json={"project": "1.1", "schema": config})
                took.append(time.perf_counter() - start)
                assert answer.status_code == 200
            time.sleep(0.01)
    return times


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


@pytest.mark.slow
def test_probes_while_models_load_and_while_16_requests_run(tmp_path: Path) -> None:
    examples = [Example.of(find_backends()[name]) for name in ("detection", "ner", "ocr")]
    config = examples[0].label_config
    with served("detection", "ner", "ocr", log=tmp_path / "log", **SETTINGS) as server:
        server.wait("/health")
        loading = _probe_while_loading(server, config)
        busy = _probe_while_predicting(server, config, examples)
    for path, took in loading.items():
        assert max(took) < 0.5, f"{path} while models load: {max(took):.3f} s"
    for path, took in busy.items():
        assert len(took) > 100
        assert p99(took) < 0.1, f"{path} while {CLIENTS} requests run: {p99(took):.3f} s"


def _probe_while_loading(server: Served, config: str) -> dict[str, list[float]]:
    ready = threading.Event()

    def watch() -> None:
        try:
            server.wait("/ready")
        finally:
            ready.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    times = probe(server.url, config, ready)
    watcher.join()
    assert httpx.get(f"{server.url}/ready").status_code == 200, server.log.read_text()
    return times


def _probe_while_predicting(
    server: Served, config: str, examples: list[Example]
) -> dict[str, list[float]]:
    done, errors = threading.Event(), []

    def predict(example: Example) -> None:
        with httpx.Client(base_url=server.url, timeout=100, verify=False) as client:
            while not done.is_set():
                answer: Any = client.post("/predict", json=example.request())
                if answer.status_code != 200 or [] in answer.json()["results"]:
                    errors.append(answer.text)
                    return

    clients = [
        threading.Thread(target=predict, args=(examples[number % len(examples)],))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    timer = threading.Timer(12, done.set)
    timer.start()
    times = probe(server.url, config, done)
    for client in clients:
        client.join()
    assert errors == []
    return times

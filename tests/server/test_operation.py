"""What operators rely on: the log, metrics of several workers, equal answers of all servers."""

import json
import os
import shutil
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.server.conftest import MODEL, PATIENCE_SECONDS, predict_body
from tests.serving import served
from tests.tiny import TEXT_CONFIG

SECRETS = ("hunter2", "Basic ", "aHVudGVy")


def test_json_log_has_request_ids_and_no_secrets(gated: Any) -> None:
    with (
        gated(LOG_FORMAT="json", BASIC_AUTH_USER="me", BASIC_AUTH_PASS="hunter2") as server,
        httpx.Client(base_url=server.server.url, timeout=PATIENCE_SECONDS) as client,
    ):
        assert client.get("/status").status_code == 401
        client.auth = ("me", "hunter2")
        setup = {"schema": "<View/>", "project": "1.1", "access_token": "hunter2"}
        client.post("/setup", json=setup)
        sent = {
            "tasks": [{"id": 7, "data": {"text": "fail: a"}}, {"id": 8, "data": {"text": "b"}}],
            "label_config": TEXT_CONFIG,
            "params": {"login": "me", "password": "hunter2", "context": None},
        }
        answer = client.post("/predict?token=hunter2", json=sent, headers={"X-Request-ID": "my-1"})
        assert answer.headers["x-request-id"] == "my-1"
        ours = client.get("/health").headers["x-request-id"]
        bad = client.get("/health", headers={"X-Request-ID": "no good\tid"})
        assert ours != bad.headers["x-request-id"] != "no good\tid"
        server.server.process.terminate()
        server.server.process.wait(PATIENCE_SECONDS)
    text = server.server.log.read_text()
    assert not [word for word in SECRETS if word in text]
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(events) >= len(text.splitlines()) - 2, "all but the greeting"
    mine = [event for event in events if event.get("request") == "my-1"]
    [failed] = [event for event in mine if event["message"].startswith("Task 7: ")]
    assert failed["level"] == "WARNING"
    [done] = [event for event in mine if event["message"] == "predicted"]
    assert (done["tasks"], done["failed"]) == (2, 1)
    assert 0 <= done["seconds"] < PATIENCE_SECONDS


def test_each_worker_answers_the_metrics_of_all(gated: Any) -> None:
    with gated(WORKERS="2") as server:
        for number in range(30):  # each on a connection of its own, so that both get some
            server.predict(f"word{number}")

        def counted() -> float:
            return server.metric('prelabel_tasks_total{outcome="predicted"')

        # A worker knows what the others published, which is up to two seconds old.
        server.wait_until(lambda: all(counted() == 30 for _ in range(10)))
        text = httpx.get(f"{server.server.url}/metrics", timeout=PATIENCE_SECONDS).text
        assert len(_worker_labels(text)) == 2
        assert text.count("# TYPE prelabel_tasks_total counter") == 1


def test_metrics_of_an_ended_worker_disappear(gated: Any) -> None:
    with gated(WORKERS="2") as server:

        def workers() -> set[str]:
            return _worker_labels(
                httpx.get(f"{server.server.url}/metrics", timeout=PATIENCE_SECONDS).text
            )

        server.wait_until(lambda: len(workers()) == 2)
        before = workers()
        os.kill(int(min(before)), signal.SIGTERM)
        server.wait_until(lambda: len(workers()) == 2 and workers() != before)


def test_open_connections_are_answered_while_the_server_stops(gated: Any) -> None:
    with gated() as server, ExitStack() as opened:
        address = urlsplit(server.server.url)
        connections = [
            opened.enter_context(socket.create_connection((address.hostname, address.port)))
            for _ in range(10)
        ]
        httpx.get(f"{server.server.url}/health").raise_for_status()
        server.server.process.terminate()
        for connection in connections:  # one after the other, for 0.1 s
            time.sleep(0.01)
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answers = [connection.recv(12) for connection in connections]
    assert answers == [b"HTTP/1.1 200"] * len(connections)


def test_servers_without_a_common_disk_answer_alike(tmp_path: Path) -> None:
    responses = []
    for name, workers in (("one", "1"), ("other", "2")):
        folder = tmp_path / name
        folder.mkdir()
        model = Path(shutil.copyfile(MODEL.partition(":")[0], folder / "gated.py"))
        os.utime(model, (len(name), len(name)))
        (folder / "load").touch()
        variables = {"GATES": str(folder), "CACHE_DIR": str(folder), "WORKERS": workers}
        with served(f"{model}:GatedBackend", log=folder / "log", **variables) as server:
            server.wait()
            responses += [_post(server.url, path) for path in ("/setup", "/predict") * 4]
    versions = {answer.get("model_version") for answer in responses[::2]}
    assert len(versions) == 1
    assert all(answer == responses[1] for answer in responses[1::2])
    assert responses[1]["results"][0]["model_version"] in versions


def _post(url: str, path: str) -> Any:
    """Send a request on a connection of its own, so that any worker may answer."""
    sent = predict_body("Hello you", "and you") | {"schema": TEXT_CONFIG}
    return httpx.post(f"{url}{path}", json=sent, timeout=PATIENCE_SECONDS).json()


def _worker_labels(text: str) -> set[str]:
    """Return the workers that metrics belong to."""
    return {
        line.split('worker="')[1].split('"')[0]
        for line in text.splitlines()
        if line.startswith("prelabel_memory_bytes{")
    }

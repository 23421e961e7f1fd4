"""The prompt backend in a real server: tokens of each project, and a key that nobody sees."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from shared.doctor.remote_model import check_remote_models
from shared.doctor.session import DoctorSession
from shared.settings import Settings, read_settings
from tests.prompt.fault_server import FaultServer
from tests.serving import Served, served

KEY = "sk-a-secret-that-nobody-sees"
CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices></View>"""
# A fault of each kind in which the server says something, or nothing.
FAULTS = ("", "echoes_key", "forbidden", "redirect", "error_500", "prose", "garbage", "closed")


@pytest.fixture(scope="module")
def models() -> Iterator[FaultServer]:
    with FaultServer(key=KEY) as models:
        yield models


@pytest.fixture(scope="module")
def server(models: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    variables = {
        "PROMPT_MODEL": "any",
        "PROMPT_BASE_URL": models.url,
        "PROMPT_API_KEY": KEY,
        "PROMPT_RETRIES": "0",
        "LOG_LEVEL": "DEBUG",
        "OPENAI_LOG": "debug",
    }
    with ExitStack() as running:
        log = tmp_path_factory.mktemp("prompt") / "log"
        server = running.enter_context(served("prompt", log=log, **variables))
        server.wait()
        yield server


def predict(server: Served, project: str, *texts: str) -> list[Any]:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    body = {"tasks": tasks, "label_config": CONFIG, "project": project}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=60)
    answer.raise_for_status()
    results: list[Any] = answer.json()["results"]
    return results


def test_tokens_are_those_of_each_project(server: Served, models: FaultServer) -> None:
    before = len(models.asked)
    predict(server, "1.1700000000", "a", "b")
    predict(server, "2.1700000000", "c")
    predict(server, "1.1700000000", "a", "d")  # of which one is known
    predict(server, "1.1700000000", "[fault:wrong_label] e")  # costs as well, twice
    asked = models.asked[before:]
    expected = {"1.1700000000": 0, "2.1700000000": 0}
    for request in asked:
        expected["2.1700000000" if request.text == "c" else "1.1700000000"] += request.tokens
    status = httpx.get(f"{server.url}/status").json()["tokens"]
    found = {row["project"]: row["prompt"] + row["completion"] for row in status}
    assert {project: found[project] for project in expected} == expected
    assert {row["model"] for row in status} == {"prompt-any"}
    requests = {row["project"]: row["requests"] for row in status}
    assert (requests["1.1700000000"], requests["2.1700000000"]) == (5, 1)
    metrics = httpx.get(f"{server.url}/metrics").text
    row = next(row for row in status if row["project"] == "1.1700000000")
    for kind in ("prompt", "completion"):
        labels = f'kind="{kind}",model="prompt-any",project="1.1700000000"'
        assert f"prelabel_tokens_total{{{labels}}} {row[kind]:.1f}" in metrics


def test_key_is_in_no_answer_log_or_metric(server: Served, models: FaultServer) -> None:
    texts = [f"text {number} [fault:{fault}]" for number, fault in enumerate(FAULTS)]
    answers = predict(server, "3.1700000000", *texts)
    assert answers[0]["result"]
    assert answers[1:] == [[]] * (len(FAULTS) - 1)
    models.key, right = "another", models.key
    try:
        assert predict(server, "3.1700000000", "wrong key") == [[]]
    finally:
        models.key = right
    pages = {
        path: httpx.get(f"{server.url}{path}").text
        for path in ("/", "/status", "/metrics", "/ready", "/versions")
    }
    setup = httpx.post(f"{server.url}/setup", json={"schema": CONFIG, "project": "3.1"}).text
    pages |= {"answers": json.dumps(answers), "setup": setup, "log": server.log.read_text()}
    assert [name for name, text in pages.items() if KEY in text] == []
    assert "answered 401: check PROMPT_API_KEY" in pages["log"]
    assert pages["/status"].count("prompt_refused") >= 3


def test_doctor_asks_the_model(models: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    session = DoctorSession(Settings(), "http://127.0.0.1:9")
    assert list(check_remote_models(session)) == [], "no model is set"
    monkeypatch.setenv("PROMPT_MODEL", "any")
    monkeypatch.setenv("PROMPT_BASE_URL", models.url)
    monkeypatch.setenv("PROMPT_API_KEY", KEY)
    read_settings.cache_clear()
    [check] = check_remote_models(session)
    assert check.state == "ok"
    assert check.found.startswith("prompt: any answers by response_format json_schema")
    monkeypatch.setenv("PROMPT_API_KEY", "wrong")
    read_settings.cache_clear()
    [check] = check_remote_models(session)
    assert (check.state, check.rule) == ("broken", "remote_model")
    assert "401: check PROMPT_API_KEY" in check.found

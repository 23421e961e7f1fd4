"""Concurrent requests to a real server: loading, order, deadline, priority, disconnects."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.conftest import predict_body, region_texts

INTERACTIVE_CONTEXT = {"result": [{"type": "labels", "value": {}}]}


def test_32_first_requests_load_the_model_once(gated: Any) -> None:
    with gated(load=False) as server:
        begun = [server.start_predict(f"word{number} a") for number in range(32)]
        server.wait_until(lambda: server.log("loaded"))
        server.open("load")
        assert [region_texts(request.result()) for request in begun] == [
            [f"word{number}"] for number in range(32)
        ]
        assert len(server.log("loaded")) == 1


def test_another_label_config_uses_the_loaded_model(gated: Any) -> None:
    with gated() as server:
        server.predict("a")
        changed = predict_body("b")
        changed["label_config"] = changed["label_config"].replace("Other", "Third")
        url = f"{server.server.url}/predict"
        assert httpx.post(url, json=changed, timeout=60).json()["results"][0]["result"]
        assert len(server.log("loaded")) == 1


def test_results_are_in_order_whatever_tasks_fail(gated: Any) -> None:
    texts: list[Any] = [f"word{number} a" for number in range(120)]
    texts[3::10] = [f"fail: {number}" for number in range(12)]
    texts[5::10] = [None] * 12
    texts[7::20] = [{}] * 6
    with gated() as server:
        predicted = region_texts(server.predict(*texts))
    expected = [
        text.split(" ")[0] if isinstance(text, str) and not text.startswith("fail:") else None
        for text in texts
    ]
    assert predicted == expected


def test_request_after_a_deadline_completes_the_rest(gated: Any) -> None:
    texts = ["a", "b", "hold:door c", "d", "e"]
    with gated(PREDICT_DEADLINE="4") as server:
        server.predict("a", "b")
        first = region_texts(server.predict(*texts))
        assert first[:3] == ["a", "b", None]
        late = [text for text, region in zip(texts, first, strict=True) if region is None]
        server.open("door")
        server.wait_until(lambda: "hold:door c" in server.log("ran"))
        assert region_texts(server.predict(*late)) == [text.split(" ")[0] for text in late]
        assert sorted(server.log("ran")) == sorted(texts), "nothing was inferred twice"
        failed = server.metric('prelabel_failures_total{backend="gated",reason="deadline"}')
        assert failed == len(late)


def test_repeated_request_runs_no_model(gated: Any) -> None:
    with gated() as server:
        first = server.predict("a", "b c")
        assert server.predict("a", "b c") == first
        assert sorted(server.log("ran")) == ["a", "b c"]


def test_request_of_a_disconnected_client_is_dropped(gated: Any) -> None:
    with gated() as server:
        held = server.start_predict("hold:door a")
        server.wait_until(lambda: "hold:door a" in server.log("began"))
        host = urlsplit(server.server.url)
        sent = json.dumps(predict_body("b", "c")).encode()
        with socket.create_connection((host.hostname, host.port)) as client:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n"
            client.sendall(head.encode() + sent)
            server.wait_until(lambda: server.metric('prelabel_queue_items{model="gated"}') == 2)
        server.wait_until(lambda: server.metric('prelabel_queue_items{model="gated"}') == 0)
        server.open("door")
        assert region_texts(held.result()) == ["hold:door"]
        assert region_texts(server.predict("x", "y")) == ["x", "y"]
        assert sorted(server.log("ran")) == ["hold:door a", "x", "y"]


@pytest.mark.parametrize("length", [1, 20_000])
def test_interactive_requests_go_first(length: int, gated: Any) -> None:
    words = [f"{name} {'a' * length}" for name in ("drawn", "alone")]
    with gated() as server:
        held = server.start_predict(
            "hold:door a"
        )  # a request of its own, as several threads read the tasks of one
        server.wait_until(lambda: "hold:door a" in server.log("began"))
        bulk = server.start_predict(*(f"bulk{number}" for number in range(20)))
        server.wait_until(lambda: len(server.log("read")) == 21)
        drawn = server.start_predict(words[0], context=INTERACTIVE_CONTEXT)
        alone = server.start_predict(words[1])
        server.wait_until(lambda: len(server.log("read")) == 23)
        server.open("door")
        assert drawn.result()[0]["result"]
        assert alone.result()[0]["result"]
        assert len(held.result()) == 1
        assert len(bulk.result()) == 20
        assert set(server.log("ran")[1:3]) == set(words)


def test_large_request_does_not_starve_another(gated: Any) -> None:
    with gated() as server:
        held = server.start_predict("hold:door a")
        server.wait_until(lambda: "hold:door a" in server.log("began"))
        large = server.start_predict(*(f"large{number}" for number in range(100)))
        server.wait_until(lambda: len(server.log("read")) == 101)
        other = server.start_predict("other0", "other1", "other2")
        server.wait_until(lambda: len(server.log("read")) == 104)
        server.open("door")
        assert region_texts(other.result()) == ["other0", "other1", "other2"]
        assert len(held.result()) == 1
        assert len(large.result()) == 100
        order = server.log("ran")
        assert order.index("other2") <= 7, "they take turns"

"""Traces that a real server sends to a collector on loopback, which reads them as OTLP."""

import gzip
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.errors import SettingError
from shared.pipeline.tracing import Tracing
from shared.settings import Settings
from tests.media.web import running
from tests.serving import served

CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="topic" toName="text"><Choice value="Sports"/><Choice value="Weather"/></Choices>
</View>"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def keep(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                a.value.string_value
                for a in resource.resource.attributes
                if a.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Collector)
        self.server.keep(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Collector:
    """What a server has sent when it has answered two tasks, one of them broken, and stopped."""
    log = tmp_path_factory.mktemp("traces") / "log"
    tasks = [{"id": 1, "data": {"text": "The match ended two to one."}}, {"id": 2, "data": {}}]
    with running(Collector()) as collector:
        address = f"http://127.0.0.1:{collector.server_port}"
        settings = {"TEXT_CLASSIFICATION_MODEL": "starter", "OTEL_SERVICE_NAME": "topics"}
        with served(
            "text_classification", log=log, OTEL_EXPORTER_OTLP_ENDPOINT=address, **settings
        ) as server:
            server.wait()
            server.wait("/ready")
            answer = httpx.post(
                f"{server.url}/predict",
                json={"tasks": tasks, "label_config": CONFIG},
                headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"},
                timeout=60,
            )
            assert answer.status_code == 200
        return collector


def test_request_is_a_span_below_that_of_the_client(traced: Collector) -> None:
    [request] = traced.named("POST /predict")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "prelabel.request_id": "mine",
    }
    assert traced.services == {"topics"}


def test_stages_of_tasks_are_spans_below_the_request(traced: Collector) -> None:
    [request] = traced.named("POST /predict")
    stages = {name: traced.named(name) for name in ("read", "queue", "infer", "regions")}
    assert {name: len(spans) for name, spans in stages.items()} == dict.fromkeys(stages, 1)
    for [span] in stages.values():
        assert (span.trace_id, span.parent_span_id) == (request.trace_id, request.span_id)
        assert request.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= request.end_time_unix_nano
    ends = [stages[name][0].end_time_unix_nano for name in ("queue", "infer", "regions")]
    assert ends == sorted(ends)
    assert stages["queue"][0].end_time_unix_nano == stages["infer"][0].start_time_unix_nano
    model = {"prelabel.model": "text_classification-starter", "prelabel.batch_items": 1}
    assert attributes(stages["infer"][0]) == model
    assert attributes(stages["read"][0]) == {"prelabel.backend": "text_classification"}


def test_failure_of_a_task_is_a_span_with_its_reason(traced: Collector) -> None:
    [failure] = traced.named("failure")
    about = {"prelabel.backend": "text_classification", "prelabel.reason": "missing_key"}
    assert attributes(failure) == about


def test_traces_hold_nothing_of_tasks_and_probes_are_not_traced(traced: Collector) -> None:
    assert "match" not in str(traced.spans)
    assert {span.name for span in traced.spans} == {
        "POST /predict",
        "read",
        "queue",
        "infer",
        "regions",
        "failure",
    }


def test_collector_that_is_not_there_costs_no_prediction(tmp_path: Path) -> None:
    closed = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_EXPORT_TIMEOUT": "100"}
    config = """<View><Text name="text" value="$text"/>
      <Labels name="kind" toName="text"><Label value="Money"/></Labels></View>"""
    body = {"tasks": [{"id": 1, "data": {"text": "It cost $5 million."}}], "label_config": config}
    with served("pattern", log=tmp_path / "log", **closed) as server:
        server.wait()
        [result] = httpx.post(f"{server.url}/predict", json=body, timeout=30).json()["results"]
        assert [found["value"]["text"] for found in result["result"]] == ["$5 million"]


def test_missing_extra_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SettingError, match=r"opentelemetry is not installed: .*otel"):
        Tracing(Settings())


def test_without_an_endpoint_nothing_of_it_is_imported(tmp_path: Path) -> None:
    with served("pattern", log=tmp_path / "log", PYTHONVERBOSE="1") as server:
        server.wait()
    # Redis' client, which label-studio-ml imports, imports some of OpenTelemetry itself.
    assert "opentelemetry.exporter" not in (tmp_path / "log").read_text(errors="replace")

"""The whole server, with requests that its OpenAPI document allows and with others."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import response_schema_conformance
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.backend.example import Example
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings

EXAMPLE = Example.load(PatternBackend)
BUDGET = hypothesis.settings(
    max_examples=60,
    deadline=None,  # a busy machine
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)


def make_app() -> Any:
    return create_app(BackendService([PatternBackend], named=["pattern"]), read_settings(Settings))


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", make_app())


OPERATIONS = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/ready"),
    ("GET", "/status"),
    ("GET", "/versions"),
    ("POST", "/predict"),
    ("POST", "/setup"),
    ("POST", "/webhook"),
    ("GET", "/{backend}/health"),
    ("GET", "/{backend}/versions"),
    ("POST", "/{backend}/predict"),
    ("POST", "/{backend}/setup"),
    ("POST", "/{backend}/webhook"),
    ("GET", "/jobs"),
    ("GET", "/jobs/{id}"),
    ("POST", "/jobs"),
    ("POST", "/jobs/{id}/cancel"),
]


def test_every_operation_is_listed(schema: Any) -> None:
    operations = {(op.ok().method.upper(), op.ok().path) for op in schema.get_all_operations()}
    assert operations == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_responses_match_openapi(method: str, path: str, schema: Any) -> None:
    """Half of the allowed requests get a label config that can be parsed."""

    @BUDGET
    @hypothesis.given(case=schema[path][method].as_strategy(), readable=st.booleans())
    def check(case: schemathesis.Case, readable: bool) -> None:
        if "backend" in case.path_parameters:
            case.path_parameters["backend"] = "pattern"
        key = "schema" if path.endswith("setup") else "label_config"
        if readable and isinstance(case.body, dict) and key in case.body:
            case.body[key] = EXAMPLE.label_config
        answer = case.call()
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=[response_schema_conformance])
        if answer.status_code == 200 and path.endswith("/predict"):
            assert len(answer.json()["results"]) == len(case.body["tasks"])

    check()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(make_app(), raise_server_exceptions=False) as client:
        yield client


@BUDGET
@hypothesis.given(
    path=st.sampled_from(["/predict", "/setup", "/webhook", "/pattern/predict"]),
    body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
)
def test_any_bytes_as_a_body(path: str, body: bytes, client: TestClient) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == 422
    assert set(answer.json()) == {"detail"}


@BUDGET
@hypothesis.given(tasks=st.lists(json_values, max_size=8), context=json_values, project=json_values)
def test_any_tasks(tasks: list[Any], context: Any, project: Any, client: TestClient) -> None:
    """There are as many results as tasks, whatever the tasks are."""
    sent = {"tasks": tasks, "label_config": EXAMPLE.label_config, "project": project}
    body = json.dumps({**sent, "params": {"context": context}})
    answer = client.post("/predict", content=body)
    assert answer.status_code in {200, 422}, answer.text
    if answer.status_code == 200:
        assert len(answer.json()["results"]) == len(tasks)


@BUDGET
@hypothesis.given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "X"]),
    path=st.text(st.characters(codec="utf-8"), max_size=40),
    headers=st.dictionaries(
        st.sampled_from(
            ["Authorization", "Content-Length", "Content-Type", "X-Request-ID", "Cookie", "Host"]
        ),
        st.text(st.characters(codec="latin-1", min_codepoint=32), max_size=60),
        max_size=3,
    ),
)
def test_any_path_and_headers(
    method: str, path: str, headers: dict[str, str], client: TestClient
) -> None:
    sent = {key.encode(): value.strip().encode("latin-1") for key, value in headers.items()}
    answer = client.request(method, "/" + quote(path.lstrip("/")), headers=sent)
    assert answer.status_code < 500, answer.text

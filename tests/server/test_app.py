import base64
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.backend.example import Example
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings, read_settings
from tests.pipeline.test_interactive_only import DrawnWord
from tests.tiny import TEXT_CONFIG, BrokenBackend, PromptBackend, WordBackend, tasks

EXAMPLE = Example.load(PatternBackend)
DATE = "It was on 2024-05-03."


@contextmanager
def serve(*classes: type[Backend], named: Sequence[str] = ("pattern",)) -> Iterator[TestClient]:
    service = BackendService(classes or (PatternBackend,), named=named)
    app = create_app(service, read_settings(Settings))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serve() as client:
        yield client


def predict_body(
    *texts: Any, config: str = EXAMPLE.label_config, context: Any = None
) -> dict[str, Any]:
    """Return the body of /predict as Label Studio sends it."""
    return {
        "tasks": tasks(*texts),
        "label_config": config,
        "project": "12.1700000000",
        "params": {"login": None, "password": None, "context": context},
    }


def assert_no_leak(text: str) -> None:
    """Fail if a response shows paths, tracebacks or secrets."""
    for word in ("Traceback", "/work", "/tmp", "site-packages", ".py", "hunter2", "/secret"):
        assert word not in text


# Endpoints that Label Studio calls


def test_index(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["backends"]) == ("UP", ["pattern"])


@pytest.mark.parametrize("path", ["/health", "/pattern/health"])
def test_health(path: str, client: TestClient) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "UP")


@pytest.mark.parametrize("path", ["/setup", "/pattern/setup"])
def test_setup_answers_the_version_of_predictions(path: str, client: TestClient) -> None:
    sent = {
        "project": "12.1700000000",
        "schema": EXAMPLE.label_config,
        "hostname": "http://localhost:8080",
        "access_token": "hunter2",
        "extra_params": None,
    }
    answer = client.post(path, json=sent)
    assert answer.status_code == 200
    version = answer.json()["model_version"]
    assert version.startswith("pattern-")
    results = client.post(path.replace("setup", "predict"), json=predict_body(DATE)).json()[
        "results"
    ]
    assert results[0]["model_version"] == version
    assert client.get("/versions").json()["versions"] == [version]


@pytest.mark.parametrize("path", ["/predict", "/pattern/predict"])
def test_predict(path: str, client: TestClient) -> None:
    answer = client.post(path, json=predict_body(DATE, "Nothing"))
    assert answer.headers["content-type"] == "application/json"
    labelled, nothing = answer.json()["results"]
    assert labelled["result"][0]["value"] == {
        "start": 10,
        "end": 20,
        "text": "2024-05-03",
        "labels": ["Date"],
    }
    assert nothing["result"] == []


def test_bad_tasks_cost_only_themselves(client: TestClient) -> None:
    sent = predict_body()
    sent["tasks"] = [*tasks(DATE, None, {}), "x", None, {}, *tasks(DATE), {"id": 1, "data": []}]
    results = client.post("/predict", json=sent).json()["results"]
    assert [bool(result) for result in results] == [1, 0, 0, 0, 0, 0, 1, 0]
    assert [result for result in results if not result] == [[]] * 6
    assert [result["result"][0]["value"]["text"] for result in results if result] == [
        "2024-05-03"
    ] * 2


@pytest.mark.parametrize("count", [0, 1, 150])
def test_number_of_results(count: int, client: TestClient) -> None:
    results = client.post("/predict", json=predict_body(*[DATE] * count)).json()["results"]
    assert len(results) == count


def test_label_config_that_nothing_can_fill(client: TestClient) -> None:
    config = '<View><Text name="t" value="$text"/><Rating name="r" toName="t"/></View>'
    assert client.post("/predict", json=predict_body("a", "b", config=config)).json() == {
        "results": [[], []]
    }
    setup = client.post("/setup", json={"schema": config})
    assert (setup.status_code, setup.json()) == (200, {"model_version": "none"})
    [seen] = client.get("/status").json()["label_configs"]
    assert "nearest to Rating on Text is Labels (pattern)" in seen["problems"][0]


@pytest.mark.parametrize("texts", [["Hello"], ["fetch: a"], ["infer: a"]], ids=str)
def test_interactive_result_is_an_object(texts: list[str]) -> None:
    with serve(PromptBackend, named=()) as client:
        sent = predict_body(*texts, config=TEXT_CONFIG, context={"result": [{"type": "labels"}]})
        [result] = client.post("/predict", json=sent).json()["results"]
    assert isinstance(result["result"], list)


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("ANNOTATION_CREATED", "ignored"),
        ("START_TRAINING", "not started: nothing that serves here can be trained: pattern"),
        ("WHATEVER", "ignored"),
    ],
)
@pytest.mark.parametrize("path", ["/webhook", "/pattern/webhook"])
def test_webhook(path: str, action: str, status: str, client: TestClient) -> None:
    project = {"id": 3, "created_at": "2026-01-31T12:00:00Z"}
    sent = {"action": action, "annotation": {"id": 1}, "project": project, "task": {}}
    answer = client.post(path, json=sent)
    assert answer.status_code == 201
    assert answer.json()["status"].startswith(status)


def test_one_backend_under_its_own_path() -> None:
    with serve(WordBackend, PatternBackend, named=()) as client:
        config = EXAMPLE.label_config.replace('"Person"', '"Word"')
        sent = predict_body(DATE, config=config)
        [of_all] = client.post("/predict", json=sent).json()["results"]
        [of_word] = client.post("/word/predict", json=sent).json()["results"]
        [of_pattern] = client.post("/pattern/predict", json=sent).json()["results"]
    assert of_all["result"] == of_word["result"]
    assert of_all["result"][0]["value"]["labels"] == ["Word"]
    assert of_pattern["result"][0]["value"]["labels"] == ["Date"], "it serves when it is named"
    assert of_pattern["model_version"] != of_word["model_version"]


# Bad input


@pytest.mark.parametrize(
    ("path", "sent", "words"),
    [
        pytest.param("/predict", b"", "The body is not valid JSON", id="empty"),
        pytest.param("/predict", b"{", "The body is not valid JSON", id="half"),
        pytest.param("/predict", b"\xff\xfe", "The body is not valid JSON", id="no-utf-8"),
        pytest.param("/predict", b"[" * 100_000, "The body is not valid JSON", id="deep"),
        pytest.param("/predict", b"[]", "should be a JSON object, found list", id="list"),
        pytest.param("/predict", b"null", "should be a JSON object", id="null"),
        pytest.param("/predict", b"{}", '"tasks" is missing in the body', id="no-keys"),
        pytest.param(
            "/predict", b'{"tasks": []}', '"label_config" is missing in the body', id="no-config"
        ),
        pytest.param(
            "/predict",
            b'{"tasks": {}, "label_config": ""}',
            '"tasks": input should be a valid list, found dict',
            id="tasks-are-no-list",
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [], "label_config": null}',
            '"label_config": input should be a valid string',
            id="config-is-null",
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [], "label_config": "", "params": {"context": "x"}}',
            '"params.context"',
            id="context-is-a-string",
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [1], "label_config": "<View>"}',
            "The label config is not well-formed XML",
            id="bad-xml",
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [1], "label_config": ""}',
            "The label config is empty",
            id="empty-config",
        ),
        pytest.param("/setup", b"{}", '"schema" is missing in the body', id="setup-no-schema"),
        pytest.param(
            "/setup", b'{"schema": "<View"}', "not well-formed XML", id="setup-with-bad-xml"
        ),
        pytest.param(
            "/setup",
            b'{"schema": "<!DOCTYPE a [<!ENTITY b \\"c\\">]><View/>"}',
            "The label config has a DTD or entities",
            id="setup-with-entities",
        ),
        pytest.param("/webhook", b"{}", '"action" is missing in the body', id="webhook"),
        pytest.param("/webhook", b'{"action": 1}', '"action"', id="webhook-action"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/pattern"])
def test_bad_body_is_refused_in_one_sentence(
    prefix: str, path: str, sent: bytes, words: str, client: TestClient
) -> None:
    answer = client.post(prefix + path, content=sent)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/json"
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert_no_leak(answer.text)


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook"])
@pytest.mark.parametrize("streamed", [False, True], ids=["declared", "streamed"])
def test_body_too_large(path: str, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BODY_MB", "0.001")
    with serve() as client:
        content: Any = iter([b" " * 600] * 10) if streamed else b" " * 2000
        answer = client.post(path, content=content)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "The body is over MAX_BODY_MB=0.001"}
        assert client.post("/webhook", json={"action": "A"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/nothing/health", 404),
        ("POST", "/nothing/predict", 404),
        ("GET", "/pattern/status", 404),
        ("GET", "/pattern/pattern/health", 404),
        ("GET", "/predict", 405),
        ("POST", "/health", 405),
        ("DELETE", "/setup", 405),
    ],
)
def test_unknown_path_or_method(method: str, path: str, status: int, client: TestClient) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    if status == 405:
        assert answer.headers["allow"]


def test_unknown_backend_is_answered_with_the_available_ones(client: TestClient) -> None:
    answer = client.post("/nothing/predict", json=predict_body(DATE))
    assert answer.json() == {"detail": "There is no backend /nothing; available: /pattern"}


class BuggyBackend(WordBackend):
    """Raises an error that none of our classes describes."""

    name = "buggy"

    def claim(self, config: LabelConfig) -> list[Claim]:
        raise RuntimeError("hunter2 in /secret/file.py")


@pytest.mark.parametrize("path", ["/predict", "/setup"])
def test_internal_error_is_one_sentence(path: str) -> None:
    with serve(BuggyBackend, named=()) as client:
        sent = predict_body(DATE) | {"schema": EXAMPLE.label_config}
        answer = client.post(path, json=sent)
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal error (RuntimeError); the log has the details"}


class UnpackableBackend(WordBackend):
    """Returns regions that cannot be written as JSON."""

    name = "unpackable"

    def regions(self, output: Any, claim: Claim) -> Any:
        for region in super().regions(output, claim):
            if output.startswith("odd"):
                region.results[0]["value"]["extra"] = {"a", "set"}
            yield region


def test_region_that_is_not_json_costs_one_task() -> None:
    with serve(UnpackableBackend, named=()) as client:
        answer = client.post("/predict", json=predict_body("a", "odd", "b", config=TEXT_CONFIG))
    assert answer.status_code == 200
    assert [bool(result) for result in answer.json()["results"]] == [True, False, True]


def test_text_with_half_a_character_costs_one_task(client: TestClient) -> None:
    sent = rb'{"tasks": [{"data": {"text": "2024-05-03"}}, {"data": {"text": "2024-05-03 \ud83d"}}]'
    sent += (
        b', "label_config": "%s"}'
        % TEXT_CONFIG.replace('"', '\\"').replace("\n", " ").replace("Word", "Date").encode()
    )
    answer = client.post("/predict", content=sent)
    assert answer.status_code == 200
    assert answer.json()["results"][0]["result"]


# Authentication


def basic_auth(user: str, password: str) -> dict[str, str]:
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {packed}"}


@pytest.fixture(scope="module")
def protected() -> Iterator[TestClient]:
    settings = Settings(basic_auth_user="me", basic_auth_pass=SecretStr("hunter2é:"))
    app = create_app(BackendService([PatternBackend], named=["pattern"]), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


ENDPOINTS = [
    ("GET", "/"),
    ("POST", "/setup"),
    ("POST", "/predict"),
    ("POST", "/webhook"),
    ("GET", "/versions"),
    ("GET", "/ready"),
    ("GET", "/status"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/redoc"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
    ("POST", "/pattern/setup"),
    ("POST", "/pattern/predict"),
    ("POST", "/pattern/webhook"),
    ("GET", "/pattern/versions"),
    ("GET", "/jobs"),
    ("POST", "/jobs"),
    ("GET", "/jobs/1"),
    ("POST", "/jobs/1/cancel"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_needs_the_password(method: str, path: str, protected: TestClient) -> None:
    answer = protected.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert_no_leak(answer.text)
    assert protected.request(method, path, headers=basic_auth("me", "hunter2é:")).status_code != 401


def test_every_documented_path_is_in_the_list(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    known = {path.replace("/pattern", "/{backend}").replace("1", "{id}") for _, path in ENDPOINTS}
    assert set(described) <= known | {"/health", "/{backend}/health"}


@pytest.mark.parametrize("method", ["predict", "setup", "webhook"])
def test_openapi_describes_each_body(method: str, client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path in (f"/{method}", f"/{{backend}}/{method}"):
        operation = document["paths"][path]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
        assert operation["description"]
        assert [p["name"] for p in operation.get("parameters", [])] == (
            ["backend"] if "{" in path else []
        )


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_of_the_api_show_the_openapi_document(path: str, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert '"openapi.json"' in answer.text


@pytest.mark.parametrize("path", ["/health", "/pattern/health"])
def test_health_needs_no_password(path: str, protected: TestClient) -> None:
    assert protected.get(path).status_code == 200


def test_health_names_no_backends(protected: TestClient) -> None:
    answer = protected.get("/nothing/health")
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such backend"})


EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
RIGHT_SECRET = {"X-Webhook-Secret": "s3cret é"}


@pytest.fixture(scope="module", params=[False, True], ids=["open", "with-a-password"])
def with_secret(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A client of a server with a secret for its webhook."""
    settings = Settings(webhook_secret=SecretStr("s3cret é"))
    if request.param:
        settings.basic_auth_user, settings.basic_auth_pass = "me", SecretStr("hunter2")
    app = create_app(BackendService([PatternBackend], named=["pattern"]), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def post_event(client: TestClient, path: str, headers: dict[str, str]) -> Any:
    sent = {key.encode(): value.encode() for key, value in headers.items()}
    return client.post(path, json=EVENT, headers=sent)


@pytest.mark.parametrize("path", ["/webhook", "/pattern/webhook"])
def test_webhook_needs_its_secret(path: str, with_secret: TestClient) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"X-Webhook-Secret": ""},
        {"X-Webhook-Secret": "s3cret"},
        {"X-Webhook-Secret": "s3cret é "[:-2]},
        {"Authorization": "Bearer s3cret é"},
        basic_auth("me", "s3cret é"),
        basic_auth("", ""),
        {"Cookie": "X-Webhook-Secret=s3cret é"},
    ]
    for headers in wrong:
        answer = post_event(with_secret, path, headers)
        assert answer.status_code == 401, headers
        assert (
            answer.json()["detail"] == "Wrong or missing header X-Webhook-Secret (WEBHOOK_SECRET)"
        )
    assert post_event(with_secret, path, RIGHT_SECRET).status_code == 201
    assert post_event(with_secret, f"{path}?x=/health", {}).status_code == 401


def test_webhook_secret_opens_no_other_endpoint(with_secret: TestClient) -> None:
    sent = {key.encode(): value.encode() for key, value in RIGHT_SECRET.items()}
    protected = with_secret.get("/status").status_code == 401
    for method, path in ENDPOINTS:
        answer = with_secret.request(method, path, headers=sent)
        assert (answer.status_code == 401) == (protected and not path.endswith("/webhook")), path


def test_webhook_accepts_the_password_too() -> None:
    """Label Studio sends it with the event of "Start training"."""
    settings = Settings(
        webhook_secret=SecretStr("s"), basic_auth_user="me", basic_auth_pass=SecretStr("hunter2")
    )
    app = create_app(BackendService([PatternBackend], named=["pattern"]), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert post_event(client, "/webhook", basic_auth("me", "hunter2")).status_code == 201
        assert post_event(client, "/webhook", basic_auth("me", "s")).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/status?/health",
        "/status#/health",
        "/status;/health",
        "/status/health",
        "/status%2Fhealth",
        "/health/../status",
        "/health/%2e%2e/status",
        "/%2e%2e/health/..%2fstatus",
        "//health",
        "/health/",
        "/HEALTH",
        "/health%00",
        "/health%20",
        "/predict/health",
        "/docs/health",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_path_that_resembles_health_opens_nothing(
    path: str, method: str, protected: TestClient
) -> None:
    answer = protected.request(method, path, follow_redirects=False)
    assert answer.status_code in {401, 404, 405}
    assert "failures" not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        basic_auth("me", "wrong")["Authorization"],
        basic_auth("you", "hunter2é:")["Authorization"],
        basic_auth("me", "")["Authorization"],
        basic_auth("", "")["Authorization"],
        basic_auth("me", "hunter2é: ")["Authorization"],
        "Basic",
        "Basic ",
        "Basic ####",
        "Basic é",
        "Bearer hunter2",
        "bWU6aHVudGVyMg==",
        "Basic " + "A" * 100_000,
    ],
    ids=lambda header: header[:24],
)
def test_wrong_password(header: str, protected: TestClient) -> None:
    answer = protected.get("/status", headers={b"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("user", "password"), [("me", None), (None, "hunter2")], ids=["user-alone", "password-alone"]
)
def test_user_or_password_alone_protects(
    user: str | None, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BASIC_AUTH_USER", user), ("BASIC_AUTH_PASS", password)):
        if value is not None:
            monkeypatch.setenv(name, value)
    with serve() as client:
        assert client.get("/status").status_code == 401
        assert (
            client.get("/status", headers=basic_auth(user or "", password or "")).status_code == 200
        )


def test_lowercase_auth_scheme(protected: TestClient) -> None:
    header = basic_auth("me", "hunter2é:")["Authorization"].replace("Basic", "basic")
    assert protected.get("/status", headers={"Authorization": header}).status_code == 200


# Endpoints for operators


def test_status(client: TestClient) -> None:
    client.post("/predict", json=predict_body(DATE, None))
    status = client.get("/status").json()
    assert status["backends"] == ["pattern"]
    assert status["problems"] == {}
    [model] = status["models"]
    assert (model["model"], model["state"], model["error"]) == ("pattern", "loaded", None)
    [config] = status["label_configs"]
    assert config["filled"] == {"label": "pattern"}
    assert config["tags"] == 'Labels "label" on Text'
    assert "Date" in config["labels"][0]
    assert status["failures"]["counts"] == {"pattern:missing_key": 1}
    assert status["failures"]["recent"][0]["task"] == 2
    assert_no_leak(client.get("/status").text)


def test_metrics(client: TestClient) -> None:
    client.post("/predict", json=predict_body(DATE, None, DATE))
    client.post("/pattern/predict", json=predict_body(DATE))
    client.post("/predict", content=b"{")
    client.get("/no/such/path")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = set(answer.text.splitlines())
    assert {
        'prelabel_requests_total{route="/predict",status="200"} 1.0',
        'prelabel_requests_total{route="/predict",status="422"} 1.0',
        'prelabel_requests_total{route="/{backend}/predict",status="200"} 1.0',
        'prelabel_requests_total{route="unknown",status="404"} 1.0',
        'prelabel_tasks_total{outcome="predicted"} 3.0',
        'prelabel_tasks_total{outcome="failed"} 1.0',
        'prelabel_failures_total{backend="pattern",reason="missing_key"} 1.0',
        'prelabel_model_loaded{model="pattern"} 1.0',
        'prelabel_queue_items{model="pattern"} 0.0',
        'prelabel_stage_seconds_count{backend="pattern",stage="regions"} 3.0',
        'prelabel_stage_seconds_bucket{backend="pattern",le="1",stage="regions"} 3.0',
        'prelabel_stage_seconds_bucket{backend="pattern",le="+Inf",stage="regions"} 3.0',
        "prelabel_answer_cache_bytes 0.0",
    } <= lines
    assert "prelabel_stage_seconds_created" not in answer.text


def test_a_task_that_is_opened_for_models_that_answer_clicks_has_not_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serve(DrawnWord, named=()) as client, caplog.at_level(logging.INFO, "shared.server"):
        opened = client.post("/predict", json=predict_body("one two", config=TEXT_CONFIG))
        assert opened.json() == {"results": [[]]}
        clicked = predict_body("one two", config=TEXT_CONFIG, context={"result": [{"id": "a"}]})
        [answer] = client.post("/predict", json=clicked).json()["results"]
        assert [result["value"]["text"] for result in answer["result"]] == ["two"]
        lines = client.get("/metrics").text.splitlines()
    logged = [record.__dict__["fields"] for record in caplog.records if record.msg == "predicted"]
    assert [(one["tasks"], one["failed"]) for one in logged] == [(1, 0), (1, 0)]
    assert 'prelabel_tasks_total{outcome="predicted"} 1.0' in lines
    assert 'prelabel_tasks_total{outcome="failed"} 0.0' in lines


def test_ready(client: TestClient) -> None:
    assert client.get("/ready").status_code == 200
    assert client.get("/ready").json()["ready"] is True


def test_server_stays_ready_after_setup(client: TestClient) -> None:
    client.post("/setup", json={"schema": EXAMPLE.label_config})
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


def wait_for(client: TestClient, path: str, key: str) -> Any:
    """Return the response as soon as it has something under a key."""
    until = time.monotonic() + 60
    answer = client.get(path)
    while not answer.json()[key] and time.monotonic() < until:
        time.sleep(0.01)
        answer = client.get(path)
    return answer


def test_not_ready_when_a_model_cannot_be_loaded() -> None:
    with serve(BrokenBackend, WordBackend, named=()) as client:
        answer = wait_for(client, "/ready", "failed")
        assert answer.status_code == 503
        assert answer.json() == {
            "ready": False,
            "waiting": {},
            "failed": {"broken-weights.bin": "weights.bin was not found in MODEL_DIR"},
        }
        assert client.get("/health").status_code == 200
        [result] = client.post("/word/predict", json=predict_body("Hi", config=TEXT_CONFIG)).json()[
            "results"
        ]
        assert result["result"], "the others serve"
        [state] = [m for m in client.get("/status").json()["models"] if m["state"] == "failed"]
        assert state["error"] == "weights.bin was not found in MODEL_DIR"


class MistypedBackend(BrokenBackend):
    """Its model, which cannot be loaded, is that of a label config alone."""

    def default_specs(self) -> Any:
        return ()


def test_a_model_of_one_label_config_keeps_no_server_from_being_ready() -> None:
    """The probe of an orchestrator would take the server from all projects."""
    with serve(MistypedBackend, named=()) as client:
        client.post("/predict", json=predict_body("Hi", config=TEXT_CONFIG))
        answer = wait_for(client, "/ready", "failed")
        assert (answer.status_code, answer.json()) == (
            200,
            {
                "ready": True,
                "waiting": {},
                "failed": {"broken-weights.bin": "weights.bin was not found in MODEL_DIR"},
            },
        )


class SlowLoadingBackend(WordBackend):
    """Its model loads until the test lets it finish."""

    name = "slowload"
    ready: ClassVar[threading.Event] = threading.Event()

    def default_specs(self) -> Any:
        return (ModelSpec("slowload", "slowload"),)

    def load(self, spec: ModelSpec) -> Any:
        self.ready.wait(60)


def test_not_ready_while_a_model_loads() -> None:
    SlowLoadingBackend.ready.clear()
    with serve(SlowLoadingBackend, named=()) as client:
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert list(answer.json()["waiting"]) == ["slowload"]
        start = time.monotonic()
        assert client.get("/health").status_code == 200
        assert client.post("/setup", json={"schema": TEXT_CONFIG}).status_code == 200
        assert time.monotonic() - start < 30
        SlowLoadingBackend.ready.set()
        until = time.monotonic() + 60
        while client.get("/ready").status_code != 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert client.get("/ready").json() == {"ready": True, "waiting": {}, "failed": {}}


def test_health_and_setup_answer_while_predictions_run() -> None:
    gate = threading.Event()

    class HeldBackend(WordBackend):
        name = "held"

        def infer(self, model: Any, items: list[Any]) -> Any:
            gate.wait(60)
            return items

    with serve(HeldBackend, named=()) as client:
        sent = predict_body("Hi", config=TEXT_CONFIG)
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda: answers.append(client.post("/predict", json=sent)))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        try:
            start = time.monotonic()
            assert client.get("/health").status_code == 200
            assert client.post("/setup", json={"schema": TEXT_CONFIG}).status_code == 200
            assert client.get("/status").status_code == 200
            assert client.get("/metrics").status_code == 200
            assert time.monotonic() - start < 30
            assert answers == []
        finally:
            gate.set()
            for thread in threads:
                thread.join()
    assert [answer.status_code for answer in answers] == [200] * 16


def test_backend_with_missing_modules_is_left_out() -> None:
    class Extra(WordBackend):
        name = "extra"
        modules = ("no_such_module",)

    with serve(Extra, PatternBackend, named=("extra", "pattern")) as client:
        assert client.get("/").json()["backends"] == ["pattern"]
        words = (
            "extra needs no_such_module: install what tests requires, e.g. uv pip install -e . in"
            " its folder"
        )
        assert client.get("/status").json()["problems"] == {"extra": words}
        assert client.get("/ready").json()["failed"] == {"extra": words}
        assert client.post("/extra/predict", json=predict_body(DATE)).status_code == 404
        assert client.post("/predict", json=predict_body(DATE)).status_code == 200


def test_backend_with_a_bad_setting_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_settings import MySettings

    class Mine(WordBackend):
        name = "mine"
        settings_class = MySettings

    monkeypatch.setenv("MY_SIZE", "large")
    with serve(Mine, PatternBackend, named=("mine", "pattern")) as client:
        assert client.get("/").json()["backends"] == ["pattern"]
        assert client.get("/ready").json()["failed"]["mine"].startswith("mine: MY_SIZE='large': ")
        assert client.post("/predict", json=predict_body(DATE)).status_code == 200


def test_two_servers_in_succession_in_one_process() -> None:
    for _ in range(2):
        with serve() as client:
            [result] = client.post("/predict", json=predict_body(DATE)).json()["results"]
            assert result["result"]


def test_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICT_DEADLINE", "0.2")
    runtime.reset_runtime()
    gate = threading.Event()

    class HeldBackend(WordBackend):
        name = "held"

        def infer(self, model: Any, items: list[Any]) -> Any:
            gate.wait(60)
            return items

    with serve(HeldBackend, named=()) as client:
        try:
            start = time.monotonic()
            answer = client.post("/predict", json=predict_body("a", "b", config=TEXT_CONFIG))
            assert time.monotonic() - start < 30
        finally:
            gate.set()
        assert answer.json() == {"results": [[], []]}
        assert client.get("/status").json()["failures"]["counts"] == {"held:deadline": 2}


# Secrets


@pytest.mark.parametrize(
    "value",
    [
        "http://127.0.0.1:1/a.txt?sig=hunter2",
        "http://me:hunter2@127.0.0.1:1/a.txt",
        "/data/local-files/?d=../../etc/passwd",
        "/data/upload/1/a.txt?token=hunter2",
        "file:///secret",
        "ftp://me:hunter2@host/",
        "http://[hunter2",
    ],
)
def test_no_secrets_in_answers_or_status(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "hunter2")
    config = EXAMPLE.label_config.replace('value="$text"', 'value="$text" valueType="url"')
    with serve() as client:
        answer = client.post("/predict", json=predict_body(value, config=config))
        assert answer.json() == {"results": [[]]}
        status = client.get("/status")
        assert status.json()["failures"]["counts"] == {"pattern:fetch": 1}
        for text in (answer.text, status.text, client.get("/metrics").text):
            assert_no_leak(text)
            assert str(tmp_path) not in text

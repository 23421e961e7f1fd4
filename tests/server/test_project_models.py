"""Projects are served models of their own, which are swapped without a dropped request."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.backend.claim import ModelSpec
from shared.pipeline import runtime as runtime_module
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server import project_models
from shared.server.backend_service import BackendService
from shared.server.http_messages import PredictRequest
from shared.training.version_store import VersionStore
from tests.server.own_models import XML, LearnedWordBackend, OtherBackend, add_version, wait_until
from tests.serving import Served, served
from tests.tiny import tasks

SEVEN, EIGHT = "7.1700000000", "8.1700000000"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VersionStore]:
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    monkeypatch.setattr(project_models, "POLL_SECONDS", 0.05)
    LearnedWordBackend.gate.clear()
    LearnedWordBackend.loads.clear()
    yield VersionStore(tmp_path / "training")
    LearnedWordBackend.gate.set()


@pytest.fixture
def service() -> BackendService:
    return BackendService([LearnedWordBackend])


def ask(
    service: BackendService,
    project: str = SEVEN,
    text: str = "some text",
    backend: str | None = None,
    xml: str = XML,
) -> tuple[str, str]:
    """Return the word of the model that answers, and the version of its prediction."""
    request = PredictRequest(tasks=tasks(text), label_config=xml, project=project)
    [answer] = service.predict(request, backend, RequestScope(30))
    assert isinstance(answer, dict), service.status()
    return answer["result"][0]["meta"]["text"][0], str(answer["model_version"])


def serves(service: BackendService, word: str, project: str = SEVEN) -> Callable[[], bool]:
    return lambda: ask(service, project)[0] == word


def trained_specs() -> list[ModelSpec]:
    return [m.spec for m in runtime().models.all_models() if m.spec.trained_version]


def test_a_promoted_version_serves_its_project_alone(
    service: BackendService, store: VersionStore
) -> None:
    before = {project: ask(service, project) for project in (SEVEN, EIGHT)}
    assert before[SEVEN] == before[EIGHT] == ("base", service.version(XML, SEVEN))
    store.promote(add_version(store, SEVEN, "one"))
    wait_until(serves(service, "one"))
    version = ask(service)[1]
    assert version.startswith("learned-v1-one00000-")
    assert service.known_version(XML, SEVEN, None) == service.version(XML, SEVEN) == version
    assert ask(service, EIGHT) == before[EIGHT] == ask(service, project="")
    assert service.version(XML, EIGHT) == before[EIGHT][1]


def test_nothing_is_looked_for_again_by_a_request(
    service: BackendService, store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(project_models, "POLL_SECONDS", 1000.0)
    monkeypatch.setattr(VersionStore, "serving_stamp", lambda self, key: looks.append(key) or 0)
    ask(service)
    time.sleep(0.1)
    first = len(looks)
    for _ in range(50):
        ask(service)
        service.known_version(XML, SEVEN, None)
    assert len(looks) == first <= 2


def test_nobody_waits_for_a_swap(service: BackendService, store: VersionStore) -> None:
    version = ask(service)[1]
    store.promote(add_version(store, SEVEN, "hold"))
    wait_until(lambda: "hold" in LearnedWordBackend.loads)
    start = time.monotonic()
    assert ask(service) == ("base", version) == ("base", service.version(XML, SEVEN))
    assert time.monotonic() - start < 15  # it loads for longer until the gate is open
    LearnedWordBackend.gate.set()
    wait_until(serves(service, "hold"))


def test_no_request_is_dropped_in_swaps_to_and_fro(
    service: BackendService, store: VersionStore
) -> None:
    ask(service)
    first, second = (add_version(store, SEVEN, word) for word in ("one", "two"))
    ended = threading.Event()
    answers: list[tuple[str, str]] = []
    failures: list[BaseException] = []

    def ask_on(number: int) -> None:
        try:
            while not ended.is_set():
                answers.append(ask(service, text=f"{number} {len(answers)}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for version, word in ((first, "one"), (second, "two"), (first, "one"), (second, "two")):
        store.promote(version)
        wait_until(serves(service, word))
    ended.set()
    for thread in threads:
        thread.join(20)
    assert failures == []
    # Each word came under the version of its own model, and under no other.
    versions = {word: {v.rsplit("-", 1)[0] for w, v in answers if w == word} for word, _ in answers}
    assert versions == {
        "base": {"learned-base"},
        "one": {"learned-v1-one00000"},
        "two": {"learned-v2-two00000"},
    }


def test_a_rollback_is_there_within_seconds(service: BackendService, store: VersionStore) -> None:
    store.promote(add_version(store, SEVEN, "one"))
    assert ask(service)[0] == "one"
    store.promote(add_version(store, SEVEN, "two"))
    wait_until(serves(service, "two"))
    store.roll_back(SEVEN, "label")
    assert wait_until(serves(service, "one")) < 5
    store.roll_back(SEVEN, "label")
    assert wait_until(serves(service, "base")) < 5


def test_after_a_restart_no_answer_is_the_base_models(
    service: BackendService, store: VersionStore
) -> None:
    store.promote(add_version(store, SEVEN, "hold"))
    asked: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: asked.append(ask(service)))
    thread.start()
    wait_until(lambda: "hold" in LearnedWordBackend.loads)
    version = service.version(XML, SEVEN)
    assert asked == []
    LearnedWordBackend.gate.set()
    thread.join(20)
    assert asked == [("hold", version)]
    assert LearnedWordBackend.loads == ["hold"]


@pytest.mark.parametrize("begin", ["running", "restarted"])
def test_a_version_that_cannot_be_loaded_does_not_serve(
    begin: str, service: BackendService, store: VersionStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.promote(add_version(store, SEVEN, "one"))
    if begin == "running":
        ask(service)
    with caplog.at_level(logging.ERROR):
        store.promote(add_version(store, SEVEN, "broken"))
        wait_until(lambda: ask(service)[0] and "broken" in LearnedWordBackend.loads)
        wait_until(lambda: SEVEN in caplog.text)
        assert ask(service)[0] == "one"
    problem = '"label" is served by v1-one00000, for v2-broken00: word cannot be read'
    assert f"project {SEVEN}: {problem}" in caplog.text
    assert service.status()["projects"][SEVEN] == {
        "serving": {"label": "v1-one00000"},
        "problems": [problem],
    }
    assert service.readiness().ready
    wait_until(lambda: [spec.trained_version for spec in trained_specs()] == ["v1-one00000"])


def test_weights_that_are_gone_leave_the_base_model(
    service: BackendService, store: VersionStore
) -> None:
    version = add_version(store, SEVEN, "one")
    store.promote(version)
    shutil.rmtree(version.weights.folder)
    assert ask(service)[0] == "base"
    assert service.status()["projects"][SEVEN]["problems"] == [
        '"label" is served by the base model, for v1-one00000: its weights are gone'
    ]


def test_weights_that_vanish_are_served_from_memory(
    service: BackendService, store: VersionStore, tmp_path: Path
) -> None:
    store.promote(add_version(store, SEVEN, "one"))
    assert ask(service)[0] == "one"
    (tmp_path / "training").rename(tmp_path / "unmounted")  # at once: deleted files mean a reset
    wait_until(lambda: service.status()["projects"][SEVEN]["problems"])
    assert ask(service, text="another text")[0] == "one"
    [problem] = service.status()["projects"][SEVEN]["problems"]
    assert problem.endswith('v1-one00000 of "label" goes on serving')


def test_a_damaged_state_is_told(service: BackendService, store: VersionStore) -> None:
    store.promote(add_version(store, SEVEN, "one"))
    assert ask(service)[0] == "one"
    store.project_folder(SEVEN).joinpath("serving.json").write_text("{")
    wait_until(lambda: service.status()["projects"][SEVEN]["problems"])
    assert ask(service, text="another text")[0] == "one"


def test_old_models_are_unloaded_when_nothing_uses_them(
    service: BackendService, store: VersionStore
) -> None:
    ask(service)
    ask(service, EIGHT)
    first = add_version(store, SEVEN, "one")
    store.promote(first)
    wait_until(serves(service, "one"))
    slow = threading.Thread(target=ask, args=(service, SEVEN, "slow text"))
    slow.start()
    store.promote(add_version(store, SEVEN, "two"))
    wait_until(serves(service, "two"))
    slow.join(20)
    wait_until(lambda: [spec.trained_version for spec in trained_specs()] == ["v2-two00000"])
    models = {m.spec.label: m.state for m in runtime().models.all_models()}
    # Project 8 still has the base model.
    assert models == {"learned-base": "loaded", "learned-v2-two00000": "loaded"}
    wait_until(lambda: not any("v1-" in thread.name for thread in threading.enumerate()))


def test_the_base_model_is_unloaded_when_no_project_has_it(
    service: BackendService, store: VersionStore
) -> None:
    ask(service)
    store.promote(add_version(store, SEVEN, "one"))
    wait_until(serves(service, "one"))

    def states() -> dict[str, str]:
        return {m.spec.label: m.state for m in runtime().models.all_models()}

    wait_until(lambda: states() == {"learned-base": "unloaded", "learned-v1-one00000": "loaded"})
    store.roll_back(SEVEN, "label")
    wait_until(serves(service, "base"))
    wait_until(lambda: states() == {"learned-base": "loaded"})


def test_weights_of_a_backend_that_does_not_serve_are_left_out(store: VersionStore) -> None:
    service = BackendService([OtherBackend])
    store.promote(add_version(store, SEVEN, "one"))
    assert ask(service) == ("base", service.version(XML, SEVEN))
    assert service.version(XML, SEVEN).startswith("other-base-")


def test_the_path_of_a_backend_answers_as_it_is(store: VersionStore) -> None:
    service = BackendService([LearnedWordBackend, OtherBackend])
    store.promote(add_version(store, SEVEN, "one"))
    assert [ask(service, backend=name)[0] for name in (None, "learned", "other")] == [
        "one",
        "one",
        "base",
    ]


def test_a_control_tag_that_became_another_is_left_to_others(
    service: BackendService, store: VersionStore
) -> None:
    store.promote(add_version(store, SEVEN, "one", control="former"))
    assert ask(service)[0] == "base"


def test_any_number_of_projects_is_followed(
    service: BackendService, store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_models, "MAX_PROJECTS", 4)
    store.promote(add_version(store, SEVEN, "one"))
    for number in range(20):
        ask(service, f"{number}.1")
    assert ask(service)[0] == "one"
    for number in range(20):
        ask(service, f"{number}.1")
    wait_until(lambda: not trained_specs())
    assert ask(service)[0] == "one"


def test_a_closed_runtime_ends_the_thread(service: BackendService) -> None:
    before = followers()
    ask(service)
    [thread] = followers() - before
    runtime_module.reset_runtime()
    wait_until(lambda: not thread.is_alive())
    ask(service)
    assert len(followers() - before) == 1


def followers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "project models"}


# Several servers with several workers each


def _words(*servers: Served, count: int = 12) -> set[tuple[str, str]]:
    """Ask servers on many connections, so that each worker answers: words and versions."""
    found = set()
    body = {"tasks": tasks("some text"), "label_config": XML, "project": SEVEN}
    # Without `verify`, the client would read all certificates.
    with httpx.Client(timeout=30, verify=False, headers={"Connection": "close"}) as client:
        for server in servers * count:
            [answer] = client.post(f"{server.url}/predict", json=body).json()["results"]
            found.add((answer["result"][0]["meta"]["text"][0], answer["model_version"]))
    return found


@pytest.mark.slow
def test_all_workers_of_all_servers_serve_the_same(store: VersionStore, tmp_path: Path) -> None:
    model = f"{Path(__file__).parent / 'own_models.py'}:LearnedWordBackend"
    variables = {"TRAIN_DIR": str(tmp_path / "training"), "WORKERS": "2"}
    with (
        served(model, log=tmp_path / "one", **variables) as one,
        served(model, log=tmp_path / "two", **variables) as two,
    ):
        one.wait()
        two.wait()
        assert {word for word, _ in _words(one, two)} == {"base"}
        store.promote(add_version(store, SEVEN, "first"))
        assert wait_until(lambda: {word for word, _ in _words(one, two)} == {"first"}) < 10
        assert len({version for _, version in _words(one, two)}) == 1
        store.roll_back(SEVEN, "label")
        assert wait_until(lambda: {word for word, _ in _words(one, two)} == {"base"}) < 5
        store.promote(store.list_versions(SEVEN)[0])
    with served(model, log=tmp_path / "three", **variables) as again:
        again.wait()
        assert {word for word, _ in _words(again)} == {"first"}

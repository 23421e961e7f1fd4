"""A third-party model gets one call at a time, and only those who must wait for it do."""

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.errors import ClientGoneError
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.http_messages import PredictRequest, WebhookRequest
from shared.server.third_party_service import ThirdPartyService
from tests.tiny import TEXT_CONFIG, tasks

TIMEOUT_SECONDS = 10.0
OTHER_CONFIG = TEXT_CONFIG.replace("Other", "Another")


class HeldModel(LabelStudioMLBase):
    """Its calls wait for `go`; it records which object got which."""

    started: ClassVar[threading.Event]
    go: ClassVar[threading.Event]
    running: ClassVar[dict[int, str]]
    calls: ClassVar[list[tuple[str, int]]]
    trained = False

    @property
    def model_version(self) -> str:
        return "trained" if self.trained else "new"

    def predict(self, tasks: Any, context: Any = None, **kwargs: Any) -> Any:
        self._call("predict", any(task["data"]["text"] == "hold" for task in tasks))
        return [{"result": [], "model_version": self.model_version} for _ in tasks]

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._call("fit", True)
        self.trained = True
        return {}

    def _call(self, name: str, hold: bool) -> None:
        assert id(self) not in self.running, "two calls of one object at once"
        self.running[id(self)] = name
        self.calls.append((name, id(self)))
        if hold:
            self.started.set()
            assert self.go.wait(3 * TIMEOUT_SECONDS)
        del self.running[id(self)]


@pytest.fixture
def service() -> Iterator[ThirdPartyService]:
    HeldModel.started, HeldModel.go, HeldModel.running, HeldModel.calls = (
        threading.Event(),
        threading.Event(),
        {},
        [],
    )
    yield ThirdPartyService(HeldModel)
    HeldModel.go.set()


class Call(threading.Thread):
    """A call in a thread."""

    def __init__(self, work: Any, *arguments: Any) -> None:
        super().__init__(daemon=True)
        self._work, self._arguments = work, arguments
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._work(*self._arguments)
        except ClientGoneError as error:
            self.outcome = error

    def result(self) -> Any:
        self.join(TIMEOUT_SECONDS)
        assert not self.is_alive(), "it waits for another call"
        return self.outcome


def predict(service: ThirdPartyService, text: str, scope: RequestScope | None = None) -> Any:
    request = PredictRequest(tasks=tasks(text), label_config=TEXT_CONFIG, project="3.1")
    return service.predict(request, None, scope or RequestScope())


def train(service: ThirdPartyService) -> None:
    project = {"id": 3, "label_config": TEXT_CONFIG}
    assert (
        service.handle_event(WebhookRequest(action="ANNOTATION_CREATED", project=project))
        == "accepted"
    )


def test_setup_does_not_wait_for_a_prediction(service: ThirdPartyService) -> None:
    running = Call(predict, service, "hold")
    assert HeldModel.started.wait(TIMEOUT_SECONDS)
    assert Call(service.version, TEXT_CONFIG, "3", None).result() == "new"
    assert Call(service.version, OTHER_CONFIG, "4", None).result() == "INITIAL", "not created yet"
    assert Call(service.versions).result() == ["new"]
    assert Call(service.status).result()["model_versions"] == ["new"]
    assert running.is_alive()
    HeldModel.go.set()
    assert running.result()[0]["model_version"] == "new"
    predict(service, "a")
    assert Call(service.version, OTHER_CONFIG, "4", None).result() == "new"


def test_training_uses_another_object_which_then_predicts(service: ThirdPartyService) -> None:
    predict(service, "a")
    train(service)
    assert HeldModel.started.wait(TIMEOUT_SECONDS)
    assert Call(predict, service, "b").result()[0]["model_version"] == "new"
    assert HeldModel.running, "it still trains"
    HeldModel.go.set()
    service._training.shutdown()
    assert predict(service, "c")[0]["model_version"] == "trained"
    assert service.version(TEXT_CONFIG, "3", None) == "trained"
    [(_, first), (_, trained), (_, second), (_, third)] = HeldModel.calls
    assert first == second != trained == third


def test_request_past_its_deadline_does_not_wait_for_another(service: ThirdPartyService) -> None:
    running = Call(predict, service, "hold")
    assert HeldModel.started.wait(TIMEOUT_SECONDS)
    assert Call(predict, service, "b", RequestScope(0.05)).result() == [[]]
    assert runtime().failures.counts() == {("HeldModel", "deadline"): 1}
    HeldModel.go.set()
    assert running.result() != [[]]


def test_model_is_not_asked_for_a_disconnected_client(service: ThirdPartyService) -> None:
    scope = RequestScope()
    scope.disconnect()
    assert isinstance(Call(predict, service, "a", scope).result(), ClientGoneError)
    assert HeldModel.calls == []

"""Somebody else's model gets one call at a time, and nobody waits for it who need not."""

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.errors import ClientGoneError
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.messages import PredictRequest, WebhookRequest
from shared.server.third_party import ThirdPartyService
from tests.tiny import TEXT_CONFIG, tasks

SECONDS = 10.0
OTHER_CONFIG = TEXT_CONFIG.replace("Other", "Another")


class Held(LabelStudioMLBase):
    """Its calls wait for `go`, and it notes which object got which."""

    begun: ClassVar[threading.Event]
    go: ClassVar[threading.Event]
    running: ClassVar[dict[int, str]]
    seen: ClassVar[list[tuple[str, int]]]
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
        self.seen.append((name, id(self)))
        if hold:
            self.begun.set()
            assert self.go.wait(3 * SECONDS)
        del self.running[id(self)]


@pytest.fixture
def service() -> Iterator[ThirdPartyService]:
    Held.begun, Held.go, Held.running, Held.seen = threading.Event(), threading.Event(), {}, []
    yield ThirdPartyService(Held)
    Held.go.set()


class Asked(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, work: Any, *given: Any) -> None:
        super().__init__(daemon=True)
        self._work, self._given = work, given
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._work(*self._given)
        except ClientGoneError as error:
            self.answer = error

    def result(self) -> Any:
        self.join(SECONDS)
        assert not self.is_alive(), "it waits for another call"
        return self.answer


def predict(service: ThirdPartyService, text: str, waiting: RequestScope | None = None) -> Any:
    request = PredictRequest(tasks=tasks(text), label_config=TEXT_CONFIG, project="3.1")
    return service.predict(request, None, waiting or RequestScope())


def train(service: ThirdPartyService) -> None:
    project = {"id": 3, "label_config": TEXT_CONFIG}
    assert (
        service.handle_event(WebhookRequest(action="ANNOTATION_CREATED", project=project))
        == "accepted"
    )


def test_setup_does_not_wait_for_a_prediction(service: ThirdPartyService) -> None:
    running = Asked(predict, service, "hold")
    assert Held.begun.wait(SECONDS)
    assert Asked(service.version, TEXT_CONFIG, "3", None).result() == "new"
    assert Asked(service.version, OTHER_CONFIG, "4", None).result() == "INITIAL", "not made yet"
    assert Asked(service.versions).result() == ["new"]
    assert Asked(service.status).result()["model_versions"] == ["new"]
    assert running.is_alive()
    Held.go.set()
    assert running.result()[0]["model_version"] == "new"
    predict(service, "a")
    assert Asked(service.version, OTHER_CONFIG, "4", None).result() == "new"


def test_training_has_an_object_of_its_own_which_then_predicts(service: ThirdPartyService) -> None:
    predict(service, "a")
    train(service)
    assert Held.begun.wait(SECONDS)
    assert Asked(predict, service, "b").result()[0]["model_version"] == "new"
    assert Held.running, "it still trains"
    Held.go.set()
    service._training.shutdown()
    assert predict(service, "c")[0]["model_version"] == "trained"
    assert service.version(TEXT_CONFIG, "3", None) == "trained"
    [(_, first), (_, trained), (_, second), (_, third)] = Held.seen
    assert first == second != trained == third


def test_a_request_past_its_deadline_does_not_wait_for_another(service: ThirdPartyService) -> None:
    running = Asked(predict, service, "hold")
    assert Held.begun.wait(SECONDS)
    assert Asked(predict, service, "b", RequestScope(0.05)).result() == [[]]
    assert runtime().failures.counts() == {("Held", "deadline"): 1}
    Held.go.set()
    assert running.result() != [[]]


def test_nothing_is_asked_for_a_client_that_is_gone(service: ThirdPartyService) -> None:
    waiting = RequestScope()
    waiting.disconnect()
    assert isinstance(Asked(predict, service, "a", waiting).result(), ClientGoneError)
    assert Held.seen == []

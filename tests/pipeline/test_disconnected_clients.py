"""A client that leaves takes nothing with it, although the garbage collector does not run."""

import asyncio
import gc
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from shared.backend import registry
from shared.backend.claim import ModelSpec
from shared.bulk.local_engine import BulkPrediction
from shared.errors import ClientGoneError
from shared.label_studio.import_file import ImportFile
from shared.label_studio.task_file import TaskEntry
from shared.label_studio.task_sources import Inputs
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import PrioritySemaphore, RequestScope
from shared.server.backend_service import BackendService
from shared.server.endpoints import Endpoints
from shared.server.http_messages import PredictRequest
from shared.server.metrics import ServerMetrics
from shared.settings import Settings, read_settings
from tests.pipeline.test_multi_model import SizedBackend
from tests.tiny import TEXT_CONFIG, made, routed, tasks

GATE = threading.Event()
BEGUN = threading.Event()


class HeldBackend(SizedBackend):
    """Waits for the gate at `hold …`, having said that it has begun."""

    name = "held"

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 1

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        if items[0].startswith("hold"):
            BEGUN.set()
            GATE.wait(30)
        return super().infer(model, items)


@pytest.fixture(autouse=True)
def without_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "find_backends", lambda: {"held": HeldBackend})
    GATE.clear()
    BEGUN.clear()
    gc.disable()
    yield
    gc.enable()
    GATE.set()


def service(models: int) -> BackendService:
    names = ["held:3", "held:5"][:models]
    return BackendService(registry.choose_backends(names), named=["held"])


def users() -> list[int]:
    return [slot.pin_count for slot in runtime().models.all_models()]


def queued() -> int:
    return sum(len(slot.queue) for slot in runtime().models.all_models() if slot.queue is not None)


@pytest.mark.parametrize("models", [1, 2])
def test_a_request_that_ends_half_way_gives_everything_back(models: int) -> None:
    request = PredictRequest(tasks=tasks("a", "hold", "b", "c"), label_config=TEXT_CONFIG)
    waiting, hands, caught = RequestScope(), PrioritySemaphore(2), list[ClientGoneError]()
    waiting.slots = hands

    def ask() -> None:
        try:
            service(models).predict(request, None, waiting)
        except ClientGoneError as error:
            caught.append(error)  # with its frames, as the event loop keeps it for a while

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert BEGUN.wait(60)
    waiting.disconnect()
    asking.join(60)
    assert len(caught) == 1
    assert users() == [0] * models
    assert hands._free == 2
    assert queued() == 0


def test_the_server_answers_after_clients_have_left() -> None:
    endpoints = Endpoints(service(2), read_settings(Settings), ServerMetrics())

    async def ask(*texts: str, leave: bool = False) -> Any:
        body = {"tasks": tasks(*texts), "label_config": TEXT_CONFIG}
        sent = [{"type": "http.request", "body": json.dumps(body).encode()}]

        async def receive() -> Any:
            if sent:
                return sent.pop()
            if leave:
                await asyncio.to_thread(BEGUN.wait, 10)
                return {"type": "http.disconnect"}
            return await asyncio.Future()

        return await endpoints.predict(Request({"type": "http", "headers": []}, receive))

    async def visit() -> Any:
        gone = []
        for number in range(3):
            BEGUN.clear()
            GATE.clear()
            with pytest.raises(ClientGoneError) as error:
                await asyncio.wait_for(ask("a", f"hold {number}", "b", leave=True), 20)
            gone.append(error)
            GATE.set()
        return await asyncio.wait_for(ask("a", "b"), 20)

    answer = asyncio.run(visit())
    assert [len(predictions) for predictions in json.loads(answer.body)["results"]] == [2, 2]
    assert users() == [0, 0]


def test_a_command_that_is_interrupted_holds_no_models(tmp_path: Path) -> None:
    class Listed(list[TaskEntry]):
        name, fraction = "listed", None

    entries = Listed(
        TaskEntry(number, None, task) for number, task in enumerate(tasks("a", "b", "c"))
    )
    routes = [routed(made(cls)) for cls in registry.choose_backends(["held:3", "held:5"])]

    def interrupted(done: int) -> None:
        raise KeyboardInterrupt

    with ImportFile(tmp_path / "out.json", {}, resume=False) as file:
        sources = Inputs([entries])
        job = BulkPrediction(runtime().pipeline, sources, routes, file, report=interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            job.run()
        assert users() == [0, 0]
        assert caught.tb is not None


def test_specs_of_both_models_are_told_apart() -> None:
    """Or the tests above would ask one model twice."""
    specs = [routed(made(cls)).steps[0].claims[0].spec for cls in service(2)._classes]
    assert specs == [ModelSpec("held", "3"), ModelSpec("held", "5")]

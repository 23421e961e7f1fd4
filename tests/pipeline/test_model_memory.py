"""What models count as, in a process of their own: they hold real memory, and give it back."""

import mmap
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.backend.claim import ModelSpec
from shared.backend.weights import WeightsHashes
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.model_memory import BATCHES_OF_ESTIMATE, MemoryUse, ModelMemory
from shared.pipeline.models import ModelRegistry
from shared.pipeline.process_memory import release_memory
from tests.tiny import WordBackend, close_models, made

pytestmark = pytest.mark.own_process

MB = 1_000_000
LARGE = 60 * MB
# Of all that a case counts, for what else the process does.
NOISE = 20 * MB


def block(size: int = LARGE) -> bytearray:
    """Memory that is in use, and not only promised."""
    return bytearray(b"x") * size


class GrowingBackend(WordBackend):
    """Its models hold a block once loaded; each item `grow` lets them keep another."""

    name = "growing"

    def load(self, spec: ModelSpec) -> list[Any]:
        return [block()]

    def describe_engine(self, model: Any) -> str:
        return "blocks on cpu"

    def infer(self, model: Any, items: list[Any]) -> Any:
        model.extend(block() for item in items if item == "grow")
        return [len(model)] * len(items)


class CallBackend(GrowingBackend):
    """Gets each item by itself, as one of clicks does."""

    name = "call"

    def concurrent_calls(self, spec: ModelSpec) -> int:
        return 2


class MappingBackend(GrowingBackend):
    """Reads weights that are mapped at the first inference, as OpenVINO does."""

    name = "mapping"
    file: Path

    def load(self, spec: ModelSpec) -> Any:
        with self.file.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def infer(self, model: Any, items: list[Any]) -> Any:
        return [any(model[:: mmap.PAGESIZE])] * len(items)


@pytest.fixture(params=[0, 100 * LARGE], ids=["unlimited", "limited"])
def registry(request: pytest.FixtureRequest) -> Iterator[ModelRegistry]:
    with opened(request.param) as registry:
        yield registry


@contextmanager
def opened(max_bytes: int) -> Iterator[ModelRegistry]:
    release_memory()  # what other tests have left behind may go away at any time
    registry = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes)
    yield registry
    close_models(registry)


@contextmanager
def request_of(registry: ModelRegistry, *names: str) -> Iterator[list[Any]]:
    """The queues of models, which are in use meanwhile."""
    specs = [ModelSpec("growing", name) for name in names]
    registry.pin(specs)
    yield [registry.get_or_load(made(GrowingBackend), spec) for spec in specs]
    registry.unpin(specs)


def ask(registry: ModelRegistry, name: str, item: str = "") -> int:
    with request_of(registry, name) as [queue]:
        return int(queue.submit(item).result(60))


def counted(registry: ModelRegistry) -> dict[str, int]:
    return {entry.spec.model: entry.memory_bytes for entry in registry.all_models()}


def about(size: float) -> Any:
    return pytest.approx(size, abs=NOISE)


def test_what_a_batch_lets_a_model_keep_counts(registry: ModelRegistry) -> None:
    ask(registry, "a")
    assert counted(registry) == {"a": about(LARGE)}
    ask(registry, "a", "grow")
    assert counted(registry) == {"a": about(2 * LARGE)}
    ask(registry, "a")
    ask(registry, "a", "grow")  # an input of another shape, say
    assert counted(registry) == {"a": about(3 * LARGE)}


def test_what_a_single_call_lets_a_model_keep_counts(registry: ModelRegistry) -> None:
    spec = ModelSpec("call", "a")
    for item, blocks in (("", 1), ("grow", 2)):
        registry.pin([spec])
        queue = registry.get_or_load(made(CallBackend), spec)
        assert queue.submit(item).result(60) == blocks
        registry.unpin([spec])
        assert counted(registry) == {"a": about(blocks * LARGE)}


def test_it_counts_for_the_model_that_worked(registry: ModelRegistry) -> None:
    for name, item in (("a", ""), ("b", ""), ("a", "grow"), ("b", "")):
        ask(registry, name, item)
    assert counted(registry) == {"a": about(2 * LARGE), "b": about(LARGE)}


def test_models_that_worked_at_the_same_time_share_it(registry: ModelRegistry) -> None:
    with request_of(registry, "a", "b") as [first, second]:
        first.submit("grow").result(60)
        second.submit("").result(60)
    assert counted(registry) == {"a": about(1.5 * LARGE), "b": about(1.5 * LARGE)}


def test_what_a_batch_gives_back_does_not_count(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def infer(self: GrowingBackend, model: Any, items: list[Any]) -> Any:
        rows = [block(10_000) for _ in range(6000)]  # in malloc's arena, which keeps some of it
        return [len(rows)] * len(items)

    monkeypatch.setattr(GrowingBackend, "infer", infer)
    for _ in range(3):
        ask(registry, "a")
    assert counted(registry) == {"a": about(LARGE)}


def test_items_of_requests_that_wait_do_not_count(registry: ModelRegistry) -> None:
    with request_of(registry, "a") as [queue]:
        waiting = block()
        queue.submit("").result(60)
        del waiting
    assert counted(registry) == {"a": about(LARGE)}


def test_other_models_leave_when_one_has_grown() -> None:
    with opened(int(2.5 * LARGE)) as registry:
        ask(registry, "a")
        ask(registry, "b")
        ask(registry, "b", "grow")
        assert {e.spec.model: e.state for e in registry.all_models()} == {
            "a": "unloaded",
            "b": "loaded",
        }
        ask(registry, "b")
        assert counted(registry)["b"] == about(2 * LARGE)


def test_a_server_that_never_rests_is_estimated() -> None:
    with opened(int(2.5 * LARGE)) as registry:
        ask(registry, "a")
        with request_of(registry, "b") as [queue]:
            queue.submit("grow").result(60)
            for _ in range(BATCHES_OF_ESTIMATE):
                queue.submit("").result(60)
            assert counted(registry)["b"] == about(2 * LARGE)
            assert registry.get(ModelSpec("growing", "a")) is None
        assert counted(registry)["b"] == about(2 * LARGE)


def test_a_model_that_comes_back_counts_as_much_as_before() -> None:
    with opened(int(2.5 * LARGE)) as registry:
        ask(registry, "a", "grow")
        ask(registry, "b")
        assert registry.get(ModelSpec("growing", "a")) is None
        assert counted(registry)["b"] == about(LARGE)
        ask(registry, "a")
        assert registry.get(ModelSpec("growing", "b")) is None, "two blocks are kept free for it"
        assert counted(registry)["a"] == about(LARGE)


def test_models_that_load_together_share_the_growth(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    names = ("a", "b")

    def load(self: GrowingBackend, spec: ModelSpec) -> Any:
        both.wait(60)
        loaded = [block()]
        both.wait(60)
        return loaded

    monkeypatch.setattr(GrowingBackend, "load", load)
    threads = [threading.Thread(target=ask, args=(registry, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counted(registry).values()) == about(2 * LARGE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what files are mapped")
def test_weights_that_are_read_at_the_first_batch_count(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").write_bytes(bytes(LARGE))
    monkeypatch.setattr(MappingBackend, "file", tmp_path / "weights", raising=False)
    spec = ModelSpec("mapping", "a")
    registry.pin([spec])
    queue = registry.get_or_load(made(MappingBackend), spec)
    assert counted(registry)["a"] < NOISE
    queue.submit("").result(60)
    del queue
    registry.unpin([spec])
    assert counted(registry)["a"] == about(LARGE)
    assert registry.unload([spec]) == []


def test_files_count_until_a_model_has_run_on_the_cpu() -> None:
    memory = ModelMemory()
    on_cpu, on_gpu = (MemoryUse(2 * LARGE, is_on_cpu=cpu) for cpu in (True, False))
    for use in (on_cpu, on_gpu):
        kept = memory.load(use, block)
        assert use.total_bytes == 2 * LARGE
        memory.begin_batch(use)
        memory.end_batch()
        del kept
    assert on_cpu.total_bytes == about(LARGE)
    assert on_gpu.total_bytes == 2 * LARGE


def test_what_caches_hold_is_no_models() -> None:
    cache: list[bytearray] = []
    memory = ModelMemory(cached_bytes=lambda: sum(map(len, cache)))
    use = MemoryUse(is_on_cpu=True)
    model = memory.load(use, block)
    memory.begin_batch(use)
    cache.append(block())
    memory.end_batch()
    assert use.total_bytes == about(len(model))

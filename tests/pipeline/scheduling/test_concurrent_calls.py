import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import Any

import pytest

from shared.errors import DecodeError, InferenceError
from shared.pipeline.scheduling.concurrent_calls import ConcurrentCalls

color: ContextVar[str] = ContextVar("color", default="none")


class Server:
    """Doubles numbers. Each call waits at the gate; `running` are the items of those inside."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running: list[Any] = []
        self.began: list[Any] = []
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, items: list[Any]) -> list[Any]:
        [item] = items
        with self.lock:
            self.began.append(item)
            self.running.append(item)
            self.most = max(self.most, len(self.running))
        assert self.gate.wait(60)
        with self.lock:
            self.running.remove(item)
        return [item * 2]

    def wait_for(self, count: int) -> None:
        """Wait until so many calls are inside, and see that there are no more."""
        end = time.monotonic() + 60
        while len(self.running) < count:
            assert time.monotonic() < end, self.running
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(self.running) == count


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.gate.set()


@pytest.fixture
def open_calls() -> Iterator[Callable[..., ConcurrentCalls]]:
    made: list[ConcurrentCalls] = []

    def make(infer: Any, calls: int = 4, name: str = "double", **more: Any) -> ConcurrentCalls:
        made.append(ConcurrentCalls(infer, calls, name, **more))
        return made[-1]

    yield make
    for calls in made:
        calls.close()


def submit(
    calls: ConcurrentCalls, *items: Any, interactive: bool = False, owner: Any = None
) -> list["Future[Any]"]:
    return [calls.submit(item, interactive, owner) for item in items]


@pytest.mark.parametrize(
    ("calls", "bulk_at_once"),
    [(1, 1), (2, 1), (4, 3), (8, 6), (64, 48)],
    ids=lambda number: str(number),
)
def test_some_calls_are_kept_for_interactive_items(
    calls: int, bulk_at_once: int, server: Server, open_calls: Any
) -> None:
    queue = open_calls(server, calls)
    bulk = submit(queue, *range(100))
    server.wait_for(bulk_at_once)
    assert len(queue) == 100 - bulk_at_once
    now = submit(queue, *range(1000, 1100), interactive=True)
    server.wait_for(calls)
    server.gate.set()
    assert [future.result(60) for future in [*bulk, *now]] == [
        number * 2 for number in [*range(100), *range(1000, 1100)]
    ]
    assert server.most == calls


def test_interactive_items_may_take_all_calls(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 4)
    submit(queue, *range(10), interactive=True)
    server.wait_for(4)


def test_interactive_items_go_first(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 1)
    submit(queue, 0)
    server.wait_for(1)
    last = submit(queue, 1, 2)
    submit(queue, 3, 4, interactive=True)
    server.gate.set()
    assert [future.result(60) for future in last] == [2, 4]
    assert server.began == [0, 3, 4, 1, 2]


def test_owners_take_turns(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 1)
    submit(queue, 0, owner="first")
    server.wait_for(1)
    last = submit(queue, 1, 2, 3, owner="first")
    submit(queue, 11, 12, owner="second")
    server.gate.set()
    assert last[-1].result(60) == 6
    assert server.began == [0, 1, 11, 2, 12, 3]


def test_bulk_items_go_on_while_an_interactive_one_runs(open_calls: Any) -> None:
    gates = {name: threading.Event() for name in ("bulk", "next", "now")}

    def infer(items: list[Any]) -> list[Any]:
        assert gates[items[0]].wait(60)
        return items

    queue = open_calls(infer, 2)
    first, following = submit(queue, "bulk", "next")
    [now] = submit(queue, "now", interactive=True)
    gates["bulk"].set()
    gates["next"].set()
    assert [first.result(60), following.result(60)] == ["bulk", "next"]
    assert not now.done()
    gates["now"].set()
    assert now.result(60) == "now"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (DecodeError("not a text"), DecodeError, "not a text"),
        (RuntimeError("/secret/path"), InferenceError, "double failed on this task: RuntimeError"),
        (SystemExit(3), InferenceError, "double failed on this task: SystemExit"),
        (MemoryError(), InferenceError, "double ran out of memory on this task: MemoryError"),
    ],
    ids=["of the task", "unforeseen", "exit", "memory"],
)
def test_failure_costs_one_item(
    error: BaseException, kind: type[Exception], message: str, open_calls: Any
) -> None:
    def infer(items: list[int]) -> list[int]:
        if items == [2]:
            raise error
        return items

    futures = submit(open_calls(infer), 1, 2, 3)
    assert [futures[0].result(60), futures[2].result(60)] == [1, 3]
    with pytest.raises(kind, match=f"^{message}$"):
        futures[1].result(60)


@pytest.mark.parametrize("outputs", [[], [1, 2]], ids=["none", "two"])
def test_item_without_one_output_fails(outputs: list[int], open_calls: Any) -> None:
    [future] = submit(open_calls(lambda items: outputs), 1)
    with pytest.raises(InferenceError, match=f"double gave {len(outputs)} outputs for 1 input"):
        future.result(60)


def test_cancelled_owner_loses_what_has_not_begun(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 2)
    running, *waiting = submit(queue, 1, 2, 3, owner="gone")
    server.wait_for(1)
    now = submit(queue, 4, 5, 6, interactive=True, owner="gone")
    [other] = submit(queue, 7, owner="other")
    server.wait_for(2)
    queue.cancel_owner("gone")
    server.gate.set()
    assert running.result(60) == 2
    assert other.result(60) == 14
    for future in [*waiting, *now[1:]]:
        with pytest.raises(CancelledError):
            future.result(60)
    assert len(queue) == 0


def test_cancelled_item_is_not_called(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 1)
    _, cancelled, last = submit(queue, 1, 2, 3)
    assert cancelled.cancel()
    server.gate.set()
    assert last.result(60) == 6
    assert server.began == [1, 3]


def test_closed_queue_finishes_running_calls_only(server: Server, open_calls: Any) -> None:
    queue = open_calls(server, 1)
    running, waiting = submit(queue, 1, 2)
    server.wait_for(1)
    queue.close()
    [late] = submit(queue, 3)
    server.gate.set()
    assert running.result(60) == 2
    with pytest.raises(CancelledError):
        waiting.result(60)
    with pytest.raises(InferenceError, match="double is shutting down"):
        late.result(60)


def test_threads_start_when_needed(open_calls: Any) -> None:
    def names() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("call idle")]

    queue = open_calls(lambda items: items, 64, "idle")
    assert names() == []
    for number in range(20):
        assert submit(queue, number)[0].result(60) == number
    assert 1 <= len(names()) < 20, "threads that are idle are used again"
    queue.close()
    end = time.monotonic() + 60
    while names() and time.monotonic() < end:
        time.sleep(0.001)
    assert names() == []


def test_call_has_the_context_of_its_request(open_calls: Any) -> None:
    queue = open_calls(lambda items: [color.get() for _ in items])
    found = []
    for name in ("red", "blue"):
        token = color.set(name)
        found += submit(queue, 1, 2)
        color.reset(token)
    assert [future.result(60) for future in found] == ["red", "red", "blue", "blue"]


def test_each_call_is_observed(open_calls: Any) -> None:
    seen: list[tuple[int, float]] = []
    queue = open_calls(lambda items: items, on_batch=lambda count, s: seen.append((count, s)))
    for future in submit(queue, 1, 2, 3):
        future.result(60)
    assert [count for count, _ in seen] == [1, 1, 1]
    assert all(0 <= seconds < 5 for _, seconds in seen)

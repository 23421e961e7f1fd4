import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from shared.errors import DecodeError, InferenceError
from shared.pipeline.scheduling import batch_policy
from shared.pipeline.scheduling.batch_queue import ModelQueue

Infer = Callable[[list[Any]], Sequence[Any]]


class Model:
    """Doubles numbers. `bad` items raise, alone or in company; `gate` holds it up."""

    def __init__(self, *bad: Any, error: Exception | None = None) -> None:
        self.bad, self.error = set(bad), error or RuntimeError("/secret/path")
        self.batches: list[list[Any]] = []
        self.gate = threading.Event()
        self.busy = threading.Event()

    def __call__(self, items: list[Any]) -> list[Any]:
        self.busy.set()
        assert self.gate.wait(60)
        self.batches.append(items)
        if self.bad & set(items):
            raise self.error
        return [item * 2 for item in items]


@pytest.fixture
def open_queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Infer, int], ModelQueue]]:
    """Makes queues, whose batches are full however long a gate stayed shut."""
    monkeypatch.setattr(batch_policy, "MAX_BULK_BATCH_SECONDS", 1e9)
    made: list[ModelQueue] = []

    def make(infer: Infer, batch_size: int = 4, **more: Any) -> ModelQueue:
        made.append(ModelQueue(infer, batch_size, "double", **more))
        return made[-1]

    yield make
    for queue in made:
        queue.close()


def filled(
    queue: ModelQueue, model: Model, *items: Any, interactive: bool = False
) -> list[Future[Any]]:
    """Submit a first item that keeps the model busy, then the others, and let it go on."""
    first = queue.submit(0)
    assert model.busy.wait(60)
    futures = [queue.submit(item, interactive) for item in items]
    return [first, *futures]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_each_item_gets_its_own_output(batch_size: int, open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, batch_size)
    futures = filled(queue, model, *range(1, 10))
    assert len(queue) == 9
    model.gate.set()
    assert [future.result(60) for future in futures] == [number * 2 for number in range(10)]
    assert [item for batch in model.batches for item in batch] == list(range(10))
    assert max(map(len, model.batches)) == min(batch_size, 9)
    assert len(queue) == 0


def test_what_arrives_while_a_batch_runs_is_the_next(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 4)
    futures = filled(queue, model, 1, 2, 3, 4, 5)
    model.gate.set()
    for future in futures:
        future.result(60)
    assert model.batches == [[0], [1, 2, 3, 4], [5]]


def test_single_item_does_not_wait_for_a_full_batch(open_queue: Any) -> None:
    model = Model()
    model.gate.set()
    queue = open_queue(model, 100)
    waits = []
    for _ in range(5):  # on a busy machine one may take long
        start = time.monotonic()
        assert queue.submit(4).result(60) == 8
        waits.append(time.monotonic() - start)
    assert min(waits) < 0.5


def test_urgent_items_go_first(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 2)
    first = queue.submit(0)
    assert model.busy.wait(60)
    futures = [queue.submit(item) for item in (1, 2, 3)]
    futures += [queue.submit(item, interactive=True) for item in (11, 12, 13)]
    model.gate.set()
    for future in [first, *futures]:
        future.result(60)
    assert model.batches[:3] == [[0], [11, 12], [13]]
    assert sorted(item for batch in model.batches[3:] for item in batch) == [1, 2, 3]


@pytest.mark.parametrize(
    "bad",
    [(1,), (8,), (3, 4), (1, 8), tuple(range(1, 9))],
    ids=["first", "last", "neighbours", "both-ends", "all"],
)
def test_item_that_breaks_its_batch_costs_only_itself(
    bad: tuple[int, ...], open_queue: Any
) -> None:
    model = Model(*bad)
    queue = open_queue(model, 8)
    _, *futures = filled(queue, model, *range(1, 9))
    model.gate.set()
    for number, future in enumerate(futures, start=1):
        if number in bad:
            with pytest.raises(InferenceError) as caught:
                future.result(60)
            assert str(caught.value) == "double failed on this task: RuntimeError"
        else:
            assert future.result(60) == number * 2
    assert len(model.batches) <= 16


def test_error_of_ours_keeps_its_message(open_queue: Any) -> None:
    model = Model(1, error=DecodeError("Page 3 is damaged"))
    model.gate.set()
    with pytest.raises(DecodeError, match="Page 3 is damaged"):
        open_queue(model).submit(1).result(60)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(lambda items: items[:-1], "gave 0 outputs for 1 inputs", id="too-few"),
        pytest.param(lambda items: [*items, 1], "gave 2 outputs for 1 inputs", id="too-many"),
        pytest.param(lambda items: None, "failed on this task: TypeError", id="none"),
        pytest.param(lambda items: iter(items), "failed on this task: TypeError", id="iterator"),
    ],
)
def test_wrong_number_of_outputs(answer: Infer, words: str, open_queue: Any) -> None:
    queue = open_queue(answer)
    for future in [queue.submit(number) for number in range(4)]:
        with pytest.raises(InferenceError, match=words):
            future.result(60)


def test_error_in_place_of_an_output_costs_its_item_alone(open_queue: Any) -> None:
    model = Model()

    def infer(items: list[Any]) -> list[Any]:
        outputs = model(items)
        return [DecodeError("Page 3 is damaged") if item == 2 else item for item in outputs]

    queue = open_queue(infer)
    futures = filled(queue, model, 1, 2, 3)
    model.gate.set()
    with pytest.raises(DecodeError, match="Page 3 is damaged"):
        futures[1].result(60)
    assert [future.result(60) for future in (futures[0], *futures[2:])] == [0, 4, 6]
    assert model.batches == [[0], [1, 2, 3]], "the others are not run again"


def test_works_on_after_a_failure(open_queue: Any) -> None:
    model = Model(1)
    model.gate.set()
    queue = open_queue(model)
    with pytest.raises(InferenceError):
        queue.submit(1).result(60)
    assert queue.submit(2).result(60) == 4


def test_model_that_wants_to_exit_does_not_stop_the_worker(open_queue: Any) -> None:
    def infer(items: list[Any]) -> list[Any]:
        if items == ["exit"]:
            raise SystemExit(1)
        return items

    queue = open_queue(infer, 1)
    with pytest.raises(InferenceError, match="SystemExit"):
        queue.submit("exit").result(60)
    assert queue.submit("more").result(60) == "more"


def test_cancelled_item_is_not_run(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model)
    _, one, two = filled(queue, model, 1, 2)
    assert one.cancel()
    model.gate.set()
    assert two.result(60) == 4
    assert model.batches == [[0], [2]]


# Batches of like size


def test_bulk_batches_are_of_like_size(open_queue: Any) -> None:
    """The one that waits longest, and the nearest to it: none is left behind for ever."""
    model = Model()
    queue = open_queue(model, 3, item_size=float)
    futures = filled(queue, model, 5, 900, 6, 800, 4, 7, 850)
    model.gate.set()
    assert [future.result(60) for future in futures] == [0, 10, 1800, 12, 1600, 8, 14, 1700]
    assert model.batches == [[0], [5, 6, 4], [900, 850, 800], [7]]


def test_users_go_in_the_order_in_which_they_came(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 3, item_size=float)
    futures = filled(queue, model, 5, 900, 6, 800, interactive=True)
    model.gate.set()
    for future in futures:
        future.result(60)
    assert model.batches == [[0], [5, 900, 6], [800]]


def test_batches_of_small_items_are_larger(
    open_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the model reads in the time that a bulk batch may take."""
    monkeypatch.setattr(batch_policy, "MAX_BULK_BATCH_SECONDS", 0.1)
    batches: list[list[int]] = []
    gate, busy = threading.Event(), threading.Event()

    def infer(items: list[int]) -> list[int]:
        busy.set()
        assert gate.wait(60)
        time.sleep(0.001 * sum(items))
        batches.append(items)
        return items

    queue = open_queue(infer, 100, item_size=float)
    futures = [queue.submit(100)]
    assert busy.wait(60)
    gate.set()
    futures[0].result(60)
    gate.clear()
    busy.clear()
    futures.append(queue.submit(50))
    assert busy.wait(60)
    futures += [queue.submit(item) for item in (1, 50, 1) * 8]
    gate.set()
    for future in futures:
        future.result(30)
    assert [1] * 16 in [items[:16] for items in batches]
    assert [50] * batch_policy.MIN_BULK_ITEMS in batches, "or as few as a call is worth"
    assert max(map(sum, batches[2:])) <= 50 * batch_policy.MIN_BULK_ITEMS


def test_cancelled_item_does_not_count(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 2, item_size=float)
    _, *futures = filled(queue, model, 5, 6, 7)
    assert futures[1].cancel()
    model.gate.set()
    futures[2].result(60)
    assert model.batches == [[0], [5, 7]]


# Requests beside each other


def test_requests_take_turns(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 2)
    first = queue.submit(0)
    assert model.busy.wait(60)
    futures = [queue.submit(item, owner="bulk") for item in (1, 2, 3, 4)]
    futures += [queue.submit(item, owner="other") for item in (11,)]
    model.gate.set()
    for future in [first, *futures]:
        future.result(60)
    assert model.batches == [[0], [1, 11], [2, 3], [4]]


def test_bulk_goes_on_slowly_beside_urgent_items(open_queue: Any) -> None:
    """Four batches of users earn it one, however slow they are; fast ones earn less."""
    order: list[Any] = []
    gate, busy = threading.Event(), threading.Event()

    def infer(items: list[Any]) -> list[Any]:
        busy.set()
        assert gate.wait(60)
        order.extend(items)
        return items

    queue = open_queue(infer, 1)
    first = queue.submit(0)
    assert busy.wait(60)
    futures = [queue.submit(item, owner="bulk") for item in (1, 2)]
    futures += [queue.submit(item, interactive=True) for item in range(11, 15)]
    gate.set()
    for future in [first, *futures]:
        future.result(60)
    assert order == [0, 11, 12, 13, 14, 1, 2]


def test_bulk_batches_are_short_while_users_wait(open_queue: Any) -> None:
    batches: list[list[Any]] = []
    gate, busy = threading.Event(), threading.Event()

    def infer(items: list[Any]) -> list[Any]:
        busy.set()
        assert gate.wait(60)
        time.sleep(0.03 * len(items))
        batches.append(items)
        return items

    queue = open_queue(infer, 8)
    first = queue.submit(0)
    assert busy.wait(60)
    futures = [queue.submit(item) for item in range(1, 7)]
    futures += [queue.submit(item, interactive=True) for item in (11, 12, 13)]
    gate.set()
    for future in [first, *futures]:
        future.result(60)
    assert batches[1] == [11, 12, 13], "those that users wait for, together"
    assert batches[2:] == [[item] for item in range(1, 7)], "two would take longer than a slice"


def test_rest_of_a_long_request_waits_for_those_that_users_draw(open_queue: Any) -> None:
    """Its first items go first, and another user's before the others of them."""
    model = Model()
    queue = open_queue(model, 1)
    first = queue.submit(0, interactive=True, owner="region")
    assert model.busy.wait(60)
    futures = [queue.submit(item, interactive=True, owner="hour") for item in range(1, 9)]
    futures += [queue.submit(10, interactive=True, owner="region")]
    model.gate.set()
    for future in [first, *futures]:
        future.result(60)
    assert model.batches[:3] == [[0], [1], [10]]
    assert sorted(model.batches[3:]) == [[item] for item in range(2, 9)]


# Several threads


def test_each_thread_forms_batches(open_queue: Any) -> None:
    """While one runs another starts, and what is done first is answered first."""
    gates = {item: threading.Event() for item in (1, 2, 3)}
    started: list[int] = []

    def infer(items: list[Any]) -> list[Any]:
        started.extend(items)
        assert gates[items[0]].wait(60)
        return items

    queue = open_queue(infer, 1, threads=2)
    futures = {item: queue.submit(item) for item in gates}
    gates[2].set()
    assert futures[2].result(60) == 2
    gates[3].set()
    assert futures[3].result(60) == 3
    assert not futures[1].done()
    gates[1].set()
    assert futures[1].result(60) == 1
    assert sorted(started) == [1, 2, 3]


def test_urgent_items_go_first_in_every_thread(open_queue: Any) -> None:
    started: list[Any] = []
    gate, busy = threading.Event(), threading.Semaphore(0)

    def infer(items: list[Any]) -> list[Any]:
        started.extend(items)
        busy.release()
        assert gate.wait(60)
        return items

    queue = open_queue(infer, 1, threads=2)
    futures = [queue.submit(item) for item in (1, 2)]
    for _ in range(2):
        assert busy.acquire(timeout=60)
    futures += [queue.submit(item, owner="bulk") for item in (3, 4)]
    futures += [queue.submit(item, interactive=True) for item in (11, 12)]
    gate.set()
    for future in futures:
        future.result(60)
    assert set(started[:2]) == {1, 2}
    assert set(started[2:4]) == {11, 12}


def test_items_that_break_their_batch_in_several_threads(open_queue: Any) -> None:
    model = Model(3, 40)
    queue = open_queue(model, 4, threads=3)
    futures = filled(queue, model, *range(1, 60))
    model.gate.set()
    failed = [number for number, future in enumerate(futures) if future.exception(60)]
    assert failed == [3, 40]
    assert all(f.result() == 2 * n for n, f in enumerate(futures) if n not in failed)


# Memory


class OutOfMemoryError(RuntimeError):
    """As torch.cuda has it."""


ERRORS = [
    MemoryError(),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_out_of_memory_halves_the_batch_and_remembers(error: Exception, open_queue: Any) -> None:
    sizes: list[int] = []
    gate, busy = threading.Event(), threading.Event()

    def infer(items: list[Any]) -> list[Any]:
        busy.set()
        gate.wait(60)
        sizes.append(len(items))
        if len(items) > 3:
            raise error
        return [item * 2 for item in items]

    queue = open_queue(infer, 8)
    futures = [
        queue.submit(0, interactive=True)
    ]  # others' batches depend on how long the last took
    assert busy.wait(60)
    futures += [queue.submit(number, True, owner=number) for number in range(1, 13)]
    gate.set()
    assert [future.result(60) for future in futures] == [number * 2 for number in range(13)]
    assert sizes == [1, 8, 4, 2, 2, 4, 2, 2, 2, 2], "once it is known, batches are of two"


def test_failure_of_another_kind_does_not_make_batches_smaller(open_queue: Any) -> None:
    model = Model(3)
    queue = open_queue(model, 4)
    futures = filled(queue, model, *range(1, 9))
    model.gate.set()
    for number, future in enumerate(futures):
        if number != 3:
            assert future.result(60) == number * 2
    assert model.batches[-1] == [5, 6, 7, 8]


def test_item_too_large_for_the_memory_alone(open_queue: Any) -> None:
    model = Model(1, error=MemoryError())
    model.gate.set()
    with pytest.raises(InferenceError, match="ran out of memory on this task: MemoryError"):
        open_queue(model).submit(1).result(60)


def test_error_of_a_batch_does_not_hold_its_memory(open_queue: Any) -> None:
    class Large:
        pass

    alive: list[Any] = []

    def infer(items: list[Any]) -> list[Any]:
        if len(items) > 1:
            large = Large()
            alive.append(weakref.ref(large))
            raise MemoryError
        assert alive[0]() is None, "the batch's memory is free before the halves run"
        return items

    model = Model()
    queue = open_queue(lambda items: infer(items) if model(items) and items != [0] else items, 4)
    futures = filled(queue, model, 1, 2)
    model.gate.set()
    assert [future.result(60) for future in futures] == [0, 1, 2]


# The end


def test_close_finishes_the_running_batch_and_cancels_the_rest(open_queue: Any) -> None:
    model = Model()
    queue = open_queue(model, 1)
    running, waiting = filled(queue, model, 1)
    queue.close()
    model.gate.set()
    assert running.result(60) == 0
    with pytest.raises(CancelledError):
        waiting.result(60)
    with pytest.raises(InferenceError, match="double is shutting down"):
        queue.submit(2).result(60)
    assert model.batches == [[0]]


@pytest.mark.parametrize("threads", [1, 3])
def test_closed_queue_ends_its_threads(threads: int, open_queue: Any) -> None:
    before = set(threading.enumerate())
    queue = open_queue(Model(), threads=threads)
    workers = set(threading.enumerate()) - before
    assert len(workers) == threads
    queue.close()
    queue.join(60)
    assert not any(worker.is_alive() for worker in workers)


def test_many_threads(open_queue: Any) -> None:
    model = Model()
    model.gate.set()
    queue = open_queue(model, 8)
    found: dict[int, int] = {}

    def ask(start: int) -> None:
        futures = [(number, queue.submit(number)) for number in range(start, start + 50)]
        found.update((number, future.result(60)) for number, future in futures)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(0, 800, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number * 2 for number in range(800)}
    assert max(map(len, model.batches)) <= 8

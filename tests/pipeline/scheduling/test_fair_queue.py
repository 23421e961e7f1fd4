import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest

from shared.pipeline.scheduling.fair_queue import FairPool, FairQueue


def test_owners_take_turns() -> None:
    turns: FairQueue[str] = FairQueue()
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(name[0], name)
    assert len(turns) == 6
    assert [turns.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    with pytest.raises(IndexError):
        turns.take()


def test_owner_that_comes_again_waits_for_its_turn() -> None:
    turns: FairQueue[str] = FairQueue()
    turns.put("a", "a1")
    turns.put("b", "b1")
    assert turns.take() == "a1"
    turns.put("a", "a2")
    assert [turns.take(), turns.take()] == ["b1", "a2"]


def test_owner_leaves() -> None:
    turns: FairQueue[str] = FairQueue()
    for name in ("a1", "b1", "a2"):
        turns.put(name[0], name)
    assert list(turns.remove_owner("a")) == ["a1", "a2"]
    assert list(turns.remove_owner("a")) == []
    assert len(turns) == 1
    assert turns.take() == "b1"


def test_nearest_of_each_owner_in_turn() -> None:
    turns: FairQueue[int] = FairQueue()
    for number in (9, 2, 5, 4, 6):
        turns.put("a", number)
    turns.put("b", 50)
    near = turns.take_similar(lambda number: abs(number - 5), lambda number: number > 2)
    assert list(near) == [5, 50, 4, 6]
    assert len(turns) == 2
    assert [turns.take(), turns.take()] == [9, 2], "what is left keeps its order"
    assert list(turns.take_similar(float)) == []


def test_pool_gives_results_and_errors() -> None:
    pool = FairPool(2, "test")
    assert pool.submit("a", lambda: 7).result(60) == 7
    with pytest.raises(ZeroDivisionError):
        pool.submit("a", lambda: 1 / 0).result(60)
    assert pool.submit("b", lambda: 8).result(60) == 8
    pool.close()


def test_pool_takes_owners_in_turn() -> None:
    pool, gate, done = FairPool(1, "test"), threading.Event(), list[str]()
    busy = threading.Event()

    def hold() -> None:
        busy.set()
        gate.wait(60)

    def noting(name: str) -> Callable[[], Any]:
        return lambda: done.append(name)

    pool.submit("a", hold)
    assert busy.wait(60)
    futures = [pool.submit("a", noting(f"a{number}")) for number in range(3)]
    futures += [pool.submit("b", noting("b"))]
    gate.set()
    for future in futures:
        future.result(60)
    assert done == ["a0", "b", "a1", "a2"]
    pool.close()


def test_pool_runs_as_many_at_once_as_it_has_threads() -> None:
    pool, together = FairPool(4, "test"), threading.Barrier(4)
    futures = [pool.submit("a", lambda: together.wait(60)) for _ in range(4)]
    assert sorted(future.result(60) for future in futures) == [0, 1, 2, 3]
    pool.close()


def test_closed_pool_cancels_what_waits() -> None:
    pool, gate, busy = FairPool(1, "test"), threading.Event(), threading.Event()
    running = pool.submit("a", lambda: busy.set() or gate.wait(60))
    assert busy.wait(60)
    waiting = pool.submit("a", lambda: None)
    pool.close()
    gate.set()
    assert running.result(60) is True
    with pytest.raises(CancelledError):
        waiting.result(60)
    with pytest.raises(RuntimeError):
        pool.submit("a", lambda: None)

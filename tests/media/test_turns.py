"""One thread at a time has the turn; who waits leaves it to the others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.media.turns import Turns

SECONDS = 30.0  # after which something hangs


def test_one_thread_at_a_time_has_the_turn() -> None:
    turns, inside, most = Turns(), 0, 0

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with turns.take():
                inside += 1
                most = max(most, inside)
                inside -= 1
                with turns.give_back():
                    pass
                inside += 1
                most = max(most, inside)
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert (most, inside) == (1, 0)


def test_others_have_the_turn_while_its_owner_waits() -> None:
    turns, together = Turns(), threading.Barrier(4, timeout=SECONDS)

    def work(number: int) -> int:
        with turns.take(), turns.give_back():
            together.wait()  # all of them wait at once, or none goes on
        return number

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 2, 3]


def test_others_have_the_turn_while_its_owner_sleeps() -> None:
    turns = Turns()

    def take() -> None:
        with turns.take():
            pass

    with ThreadPoolExecutor(1) as pool, turns.take():
        other = pool.submit(take)
        for _ in range(10_000):
            if not other.done():
                turns.sleep(0.001)
        taken = other.done()
    assert taken


def test_who_has_no_turn_gives_none_back() -> None:
    turns = Turns()
    with ThreadPoolExecutor(1) as pool, turns.take():

        def give_back() -> None:
            with turns.give_back():
                pass

        pool.submit(give_back).result(SECONDS)
        assert turns._lock.locked(), "the turn of another thread stays its own"
    assert not turns._lock.locked()


def test_turn_is_free_after_an_error() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="odd"), turns.take(), turns.give_back():
        raise ValueError("odd")
    with turns.take():
        pass

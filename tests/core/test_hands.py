import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from shared.hands import Hands
from shared.waiting import Waiting


class Crowd:
    """Threads that want a hand, one after the other, and write down when they got it."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.got: list[str] = []
        self._threads: list[threading.Thread] = []

    def come(self, name: str, urgent: bool) -> None:
        before = self._waiting()
        thread = threading.Thread(target=self._work, args=(name, urgent))
        thread.start()
        self._threads.append(thread)
        until(lambda: self._waiting() == before + 1)

    def _work(self, name: str, urgent: bool) -> None:
        self.hands.take(urgent)
        self.got.append(name)
        self.hands.give()

    def _waiting(self) -> int:
        return sum(map(len, self.hands._waiting.values()))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_users_first_in_the_order_of_coming_and_every_fifth_is_a_bulk_request() -> None:
    hands = Hands(1)
    crowd = Crowd(hands)
    hands.take(urgent=False)
    for number in range(3):
        crowd.come(f"bulk{number}", urgent=False)
    for number in range(6):
        crowd.come(f"user{number}", urgent=True)
    hands.give()
    crowd.join()
    assert crowd.got == [
        "user0", "user1", "user2", "user3", "bulk0",
        "user4", "user5", "bulk1", "bulk2",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_more_work_than_there_are_hands(count: int) -> None:
    hands, lock = Hands(count), threading.Lock()
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        for _ in range(50):
            hands.take(urgent=True)
            with lock:
                working += 1
                most = max(most, working)
            time.sleep(0.0001)
            with lock:
                working -= 1
            hands.give()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= count
    for _ in range(count):
        hands.take(urgent=False)  # all are free again


def test_request_gives_its_hand_back_while_it_waits() -> None:
    hands = Hands(1)
    waiting, coming = Waiting(), Future[int]()
    waiting.hands = hands
    found: list[int] = []

    def ask() -> None:
        with waiting.working(), waiting.working():
            found.append(waiting.result(coming))

    asking = threading.Thread(target=ask)
    asking.start()
    other = Waiting()
    other.hands = hands
    with other.working():
        coming.set_result(7)
        assert found == [], "it goes on with a hand of its own"
    asking.join(10)
    assert found == [7]
    assert hands._free == 1


def test_bulk_request_lets_users_work_between_its_tasks() -> None:
    hands = Hands(1)
    bulk, crowd = Waiting(), Crowd(hands)
    bulk.hands = hands
    with bulk.working():
        bulk.breathe()
        crowd.come("user", urgent=True)
        assert crowd.got == []
        bulk.breathe()
        assert crowd.got == ["user"]
    crowd.join()


def test_request_without_hands_just_works() -> None:
    waiting, done = Waiting(), Future[int]()
    done.set_result(1)
    with waiting.working():
        waiting.breathe()
        assert waiting.result(done) == 1


def test_hand_is_given_back_after_an_error() -> None:
    hands, waiting = Hands(1), Waiting(0.01)
    waiting.hands = hands
    with pytest.raises(Exception, match="deadline"), waiting.working():
        waiting.result(Future())
    assert hands._free == 1

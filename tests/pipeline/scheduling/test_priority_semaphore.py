import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from shared.pipeline.scheduling.request_scope import PrioritySemaphore, RequestScope


class Crowd:
    """Threads that want a hand, one after the other, and write down when they got it."""

    def __init__(self, hands: PrioritySemaphore) -> None:
        self.hands = hands
        self.got: list[str] = []
        self._threads: list[threading.Thread] = []

    def come(self, name: str, interactive: bool) -> None:
        before = self._waiting()
        thread = threading.Thread(target=self._work, args=(name, interactive))
        thread.start()
        self._threads.append(thread)
        until(lambda: self._waiting() == before + 1)

    def _work(self, name: str, interactive: bool) -> None:
        self.hands.acquire(interactive)
        self.got.append(name)
        self.hands.release()

    def _waiting(self) -> int:
        return sum(map(len, self.hands._queues.values()))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_users_first_in_the_order_of_coming_and_every_fifth_is_a_bulk_request() -> None:
    hands = PrioritySemaphore(1)
    crowd = Crowd(hands)
    hands.acquire(interactive=False)
    for number in range(3):
        crowd.come(f"bulk{number}", interactive=False)
    for number in range(6):
        crowd.come(f"user{number}", interactive=True)
    hands.release()
    crowd.join()
    assert crowd.got == [
        "user0", "user1", "user2", "user3", "bulk0",
        "user4", "user5", "bulk1", "bulk2",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_more_work_than_there_are_hands(count: int) -> None:
    hands, lock = PrioritySemaphore(count), threading.Lock()
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        for _ in range(50):
            hands.acquire(interactive=True)
            with lock:
                working += 1
                most = max(most, working)
            time.sleep(0.0001)
            with lock:
                working -= 1
            hands.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= count
    for _ in range(count):
        hands.acquire(interactive=False)  # all are free again


def test_request_gives_its_hand_back_while_it_waits() -> None:
    hands = PrioritySemaphore(1)
    waiting, coming = RequestScope(), Future[int]()
    waiting.slots = hands
    found: list[int] = []

    def ask() -> None:
        with waiting.hold_slot(), waiting.hold_slot():
            found.append(waiting.wait_for(coming))

    asking = threading.Thread(target=ask)
    asking.start()
    other = RequestScope()
    other.slots = hands
    with other.hold_slot():
        coming.set_result(7)
        assert found == [], "it goes on with a hand of its own"
    asking.join(60)
    assert found == [7]
    assert hands._free == 1


def test_bulk_request_lets_users_work_between_its_tasks() -> None:
    hands = PrioritySemaphore(1)
    bulk, crowd = RequestScope(), Crowd(hands)
    bulk.slots = hands
    with bulk.hold_slot():
        bulk.yield_slot()
        crowd.come("user", interactive=True)
        assert crowd.got == []
        bulk.yield_slot()
        assert crowd.got == ["user"]
    crowd.join()


def test_request_without_hands_just_works() -> None:
    waiting, done = RequestScope(), Future[int]()
    done.set_result(1)
    with waiting.hold_slot():
        waiting.yield_slot()
        assert waiting.wait_for(done) == 1


def test_hand_is_given_back_after_an_error() -> None:
    hands, waiting = PrioritySemaphore(1), RequestScope(0.01)
    waiting.slots = hands
    with pytest.raises(Exception, match="deadline"), waiting.hold_slot():
        waiting.wait_for(Future())
    assert hands._free == 1

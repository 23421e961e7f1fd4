"""How long a request waits for its turn to work: no longer than for its models."""

import threading
import time
from concurrent.futures import Future

import pytest

from shared.errors import ClientGoneError, DeadlineError, PrelabelError
from shared.pipeline.scheduling.request_scope import PrioritySemaphore, RequestScope
from tests.pipeline.scheduling.test_priority_semaphore import until


def waiting_for(hands: PrioritySemaphore, seconds: float = float("inf")) -> RequestScope:
    waiting = RequestScope(seconds, interactive=True)
    waiting.slots = hands
    return waiting


def queued(hands: PrioritySemaphore) -> int:
    return sum(map(len, hands._queues.values()))


def asked(waiting: RequestScope, told: list[PrelabelError]) -> threading.Thread:
    """Somebody who wants to work, and writes down what ended it."""

    def ask() -> None:
        try:
            with waiting.hold_slot():
                waiting.raise_if_over()
        except PrelabelError as error:
            told.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    return asking


def test_a_request_past_its_deadline_waits_for_no_hand() -> None:
    hands, told = PrioritySemaphore(1), list[PrelabelError]()
    hands.acquire(interactive=False)  # by a request that works for ever
    asked(waiting_for(hands, 0.05), told).join(60)
    assert [type(error) for error in told] == [DeadlineError]
    assert queued(hands) == 0
    hands.release()
    assert hands._free == 1, "it gives back no hand that it did not have"


@pytest.mark.parametrize("error", [DeadlineError("Stopping"), ClientGoneError("Gone")])
def test_a_request_that_ends_waits_for_no_hand(error: PrelabelError) -> None:
    hands, told = PrioritySemaphore(1), list[PrelabelError]()
    hands.acquire(interactive=False)
    waiting = waiting_for(hands)
    asking = asked(waiting, told)
    until(lambda: queued(hands))
    waiting.cancel(error)
    asking.join(60)
    assert told == [error]
    hands.release()
    assert hands._free == 1


def test_what_comes_before_the_deadline_is_taken_without_a_hand() -> None:
    """A result is there, but whoever works meanwhile does not let go of the hand."""
    hands, coming, found = PrioritySemaphore(1), Future[int](), list[int]()
    waiting = waiting_for(hands, 0.5)

    def ask() -> None:
        with waiting.hold_slot():
            found.append(waiting.wait_for(coming))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    until(lambda: waiting._depth)
    hands.acquire(interactive=False)
    coming.set_result(7)
    asking.join(60)
    assert found == [7]
    hands.release()
    assert hands._free == 1


def test_no_hand_is_lost_between_those_who_give_and_those_who_leave() -> None:
    """Requests end at any moment: just before they wait, while they do, as they are handed one."""
    hands = PrioritySemaphore(2)

    def work(number: int) -> None:
        for turn in range(100):
            waiting = waiting_for(hands, 0.0003 * (number % 3 + 1))
            leaving = threading.Timer(0.0001 * (turn % 5), waiting.disconnect)
            leaving.start()
            with waiting.hold_slot():
                waiting.yield_slot()
                time.sleep(0.0001)
            leaving.join()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert (hands._free, queued(hands)) == (2, 0)

"""How far a model is with one long item, told to whoever wants to know, such as a job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with the part that is done, 0 to 1; it may raise a TaskError to end the item.
Listener = Callable[[float], None]

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


def report_progress(fraction: float) -> None:
    """Say how far `infer` is with its item, now and then. Let pass what it raises.

    It reaches the listener of the request where `concurrent_calls` are made.
    """
    listener = _listener.get()
    if listener is not None:
        listener(min(max(fraction, 0.0), 1.0))


def is_job() -> bool:
    """Whether what is predicted is a job's, which has all the time that it needs.

    It is known where a task is read, and where `concurrent_calls` are made.
    """
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` told about what is predicted inside the block."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)

"""A function is called in a process of its own, and what becomes of it there is told here."""

import logging
import os
import sys
import warnings
from typing import Any

import pytest

from backends._inference.short_process import ProcessFailedError, call_in_process
from shared.errors import ModelError

logger = logging.getLogger("backends.test")
HERE = __name__


@pytest.fixture(autouse=True)
def _without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a server: where PyTorch is imported, functions are called in this process."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


def describe(word: str, times: int) -> dict[str, Any]:
    print("a library says what it does")  # noqa: T201
    logger.warning("%s is rare", word)
    logger.info("%s is heard", word)
    return {"words": [word] * times, "process": os.getpid()}


def refuse() -> None:
    raise ModelError("no such network")


def fail() -> None:
    warnings.warn("a library's", stacklevel=1)
    raise RuntimeError("first line\nsecond line")


def vanish() -> None:
    os._exit(9)


def test_what_it_returns_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    found = call_in_process(f"{HERE}:describe", {"word": "gnu", "times": 2})
    assert found["words"] == ["gnu", "gnu"]
    assert found["process"] != os.getpid()
    assert [record.getMessage() for record in caplog.records] == ["gnu is rare"]


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("refuse", ModelError, "^no such network$"),
        ("fail", ProcessFailedError, "^RuntimeError: first line$"),
        ("vanish", ProcessFailedError, "^its process ended with status 9$"),
        ("no_such", ProcessFailedError, "^AttributeError: .*no_such"),
    ],
)
def test_how_it_fails(function: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call_in_process(f"{HERE}:{function}", {})


def test_where_pytorch_is_imported_it_is_called_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", object())  # type: ignore[arg-type]
    call = f"{HERE}:describe", {"word": "gnu", "times": 1}
    assert call_in_process(*call)["process"] == os.getpid()
    assert call_in_process(*call, beside_torch=True)["process"] != os.getpid()

"""Tokens that language models took in this process, by model and project."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

# The key of the project whose tasks are being predicted; empty outside of a request.
_current_project: ContextVar[str] = ContextVar("current_project", default="")
# Pairs of a model and a project that are kept apart; of any further ones the project is OTHERS.
MAX_PAIRS = 1000
OTHERS = "others"


@contextmanager
def predicting_for(project: str) -> Iterator[None]:
    """Count the tokens of what is asked inside the block for a project, by its key."""
    before = _current_project.set(project)
    try:
        yield
    finally:
        _current_project.reset(before)


@dataclass(frozen=True)
class TokenCount:
    """What one model took for one project: tokens of prompts and completions, and requests."""

    prompt: int = 0
    completion: int = 0
    requests: int = 0


class TokenCounts:
    """The tokens since the process began."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], TokenCount] = {}
        self._lock = threading.Lock()

    def add(self, model: str, prompt: int, completion: int) -> None:
        """Count a request to a model, for the project that is being predicted."""
        with self._lock:
            key = model, _current_project.get()
            if key not in self._counts and len(self._counts) >= MAX_PAIRS:
                key = model, OTHERS
            known = self._counts.get(key, TokenCount())
            self._counts[key] = replace(
                known,
                prompt=known.prompt + prompt,
                completion=known.completion + completion,
                requests=known.requests + 1,
            )

    def all(self) -> dict[tuple[str, str], TokenCount]:
        """Return the counts by model and project."""
        with self._lock:
            return dict(self._counts)

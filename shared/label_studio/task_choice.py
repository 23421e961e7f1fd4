"""Which tasks are predicted: those that lack something, and a sample of them."""

import hashlib
import heapq
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeVar

from shared.label_studio.task_file import TaskEntry

T = TypeVar("T")
Wanted = Callable[[TaskEntry], bool]


class Only(str, Enum):
    """The tasks that `prelabel predict --only` names."""

    missing = "missing"  # without a prediction of this model version
    unannotated = "unannotated"  # without an annotation
    failed = "failed"  # listed in OUTPUT.failures.jsonl


def lacks_versions(versions: Iterable[str]) -> Wanted:
    """Return whether a task of a file lacks a prediction of one of the versions."""
    wanted = frozenset(versions)

    def lacks(entry: TaskEntry) -> bool:
        listed = entry.task.get("predictions") if isinstance(entry.task, dict) else None
        found = [one for one in listed or () if isinstance(one, dict)]
        return not wanted <= {one.get("model_version") for one in found}

    return lacks


def is_unannotated(entry: TaskEntry) -> bool:
    """Return whether a task of a file has no annotation that counts: cancelled ones do not."""
    found = entry.task.get("annotations") if isinstance(entry.task, dict) else None
    listed = found if isinstance(found, list) else []  # a number is an annotation that was left out
    return all(isinstance(one, dict) and one.get("was_cancelled") for one in listed)


def sample(items: Iterable[T], size: int, number_of: Callable[[T], int]) -> list[T]:
    """Return so many of the items, by their numbers, chosen at random but always the same.

    Chosen are those with the lowest hashes of their numbers: where items are added, the sample
    stays nearly as it was. It alone is kept in memory.
    """
    chosen = heapq.nsmallest(size, items, key=lambda item: _rank(number_of(item)))
    return sorted(chosen, key=number_of)


def _rank(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=8).digest()

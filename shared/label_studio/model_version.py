"""The model versions of stored predictions: which of them later ones take the place of."""

import re
from collections.abc import Iterable

# A model's name and eight digits of a hash, see `shared.pipeline.plan`.
_PART = re.compile(r"([a-z][a-z0-9_]*)(?::.*)?-[0-9a-f]{8}", re.DOTALL)
_PRECEDING = re.compile(r"-[0-9a-f]{4}$")


def read_backends(version: str) -> frozenset[str]:
    """Return the backends that a version names; empty if it is not one of ours."""
    parts = [_PART.fullmatch(part) for part in _PRECEDING.sub("", version).split("+")]
    return frozenset(part[1] for part in parts if part) if all(parts) else frozenset()


def find_superseded(stored: Iterable[str], new: Iterable[str]) -> frozenset[str]:
    """Return the versions among those stored that the new ones take the place of.

    Those are older ones of the same backends. Versions of other models are none of them.
    """
    new = frozenset(new)
    backends = {names for version in new if (names := read_backends(version))}
    return frozenset(v for v in stored if v not in new and read_backends(v) in backends)

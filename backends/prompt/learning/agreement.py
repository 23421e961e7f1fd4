"""How far an answer agrees with what is right, from 0 to 1."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from backends.prompt.answer_schema.spans import LABEL, LABELS, QUOTE
from shared.backend import Control


def measure_agreement(control: Control, answer: Any, truth: Any) -> float:
    """Return 1 for the right choice, F1 of several choices or spans, likeness of texts.

    A number is right or wrong, as a choice is.
    """
    if isinstance(truth, list):
        found = answer if isinstance(answer, list) else [] if answer is None else [answer]
        return _measure_f1(map(_as_key, found), map(_as_key, truth))
    if control.tag == "TextArea" and isinstance(answer, str):
        return difflib.SequenceMatcher(None, answer, str(truth)).ratio()
    return float(answer == truth)


def _measure_f1(found: Iterable[Any], truth: Iterable[Any]) -> float:
    """Return F1; 1 where nothing is right and nothing was found."""
    given, right = Counter(found), Counter(truth)
    if not given and not right:
        return 1.0
    hits = sum((given & right).values())
    return 2 * hits / (sum(given.values()) + sum(right.values()))


def _as_key(entry: Any) -> Any:
    """Return what of an entry has to agree: of a span its quote and its labels."""
    if not isinstance(entry, Mapping):
        return str(entry)
    labels = entry.get(LABELS) or [entry.get(LABEL)]
    return (str(entry.get(QUOTE)), tuple(sorted(map(str, labels))))

"""Scores of an answer's values: from the probabilities of its tokens, or the agreement of samples.

They are given by JSON pointer into the answer, and only where they are known.
"""

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import orjson

from backends.prompt.models.json_places import Place, find_places, join_pointer
from backends.prompt.models.reply import Reply
from backends.prompt.question import JsonSchema

# The property of a region's object whose probability is that of the region.
LABEL = "label"


def score_by_tokens(reply: Reply, start: int, values: Any, schema: JsonSchema) -> dict[str, float]:
    """Return the probability of each value that was chosen from several, where tokens have some.

    `start` is where the answer's JSON begins in the reply. The probability of a value is that of
    all tokens that write it, one after the other; that of a region is its label's.
    """
    text, joined = reply.text, b"".join(token.piece for token in reply.tokens)
    offset = joined.find(text.encode("utf-8", "replace")) if reply.tokens else -1
    if offset < 0:  # none are given, or they are those of another text
        return {}
    try:
        places = find_places(text, start)
    except RecursionError:  # a key that stands twice: its first value may be of any depth
        return {}
    log_sums = _LogSums(reply, offset)
    scores = {}
    for pointer in _chosen(values, schema, ""):
        scores[pointer] = math.exp(log_sums.over(places[pointer]))
    for pointer in list(scores):
        parent, _, name = pointer.rpartition("/")
        if name == LABEL and parent.rpartition("/")[2].isdecimal():
            scores[parent] = scores[pointer]
    return scores


class _LogSums:
    """Sums of logarithms over parts of a reply's text."""

    def __init__(self, reply: Reply, offset: int) -> None:
        self._text = reply.text
        self._offset = offset
        self._logprobs = [token.logprob for token in reply.tokens]
        self._ends = list(accumulate(len(token.piece) for token in reply.tokens))
        self._begins = [0, *self._ends[:-1]]

    def over(self, place: Place) -> float:
        """Return the sum over all tokens that have a part in a place."""
        start, end = place
        # An opening quote says nothing yet; the closing one says that nothing follows.
        start, end = self._byte(start + (self._text[start] == '"')), self._byte(end)
        return sum(self._logprobs[bisect_right(self._ends, start) : bisect_left(self._begins, end)])

    def _byte(self, index: int) -> int:
        """Return where a character of the text begins in the tokens' bytes."""
        return self._offset + len(self._text[:index].encode("utf-8", "replace"))


def _chosen(values: Any, schema: Mapping[str, Any], pointer: str) -> Iterator[str]:
    """Yield the pointers of values that are one of several: an enumeration, a number, a flag."""
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _chosen(values, option, pointer)
    if isinstance(values, dict):
        for name, part in schema.get("properties", {}).items():
            yield from _chosen(values.get(name), part, join_pointer(pointer, name))
    elif isinstance(values, list):
        items = schema.get("items", {})
        yield from (pointer,) if _is_choice(items) else ()
        for index, value in enumerate(values):
            yield from _chosen(value, items, join_pointer(pointer, index))
    elif values is not None and _is_choice(schema):
        yield pointer


def _is_choice(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return "enum" in schema or bool({"integer", "boolean"} & set(kinds))


def score_by_agreement(
    samples: Sequence[Mapping[str, Any]],
) -> tuple[Mapping[str, Any], dict[str, float]]:
    """Return the sample that agrees most with the others, and how many say what it says.

    Scores are shares of all samples: for a value, of those that have the same one; for an entry of
    a list, of those whose list has it, too.
    """
    contents = [dict(_flatten(sample)) for sample in samples]
    agreements = [
        sum(_agrees(other, pointer, value) for other in contents for pointer, value in own.items())
        / max(len(own), 1)
        for own in contents
    ]
    best = agreements.index(max(agreements))
    scores = {
        pointer: sum(_agrees(other, pointer, value) for other in contents) / len(contents)
        for pointer, value in contents[best].items()
    }
    return samples[best], scores


def _flatten(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each value of an answer by its pointer, lists as a whole and by entry."""
    for name, value in values.items():
        pointer = join_pointer("", name)
        if isinstance(value, list):
            yield pointer, sorted(map(_canonical, value))
            yield from ((join_pointer(pointer, i), _canonical(v)) for i, v in enumerate(value))
        elif value is not None:
            yield pointer, _canonical(value)


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits
        return json.dumps(value, sort_keys=True).encode()


def _agrees(sample: Mapping[str, Any], pointer: str, value: Any) -> bool:
    """Return whether a sample has a value at a pointer; for an entry, anywhere in its list."""
    parent = pointer.rpartition("/")[0]
    if parent:
        return value in sample.get(parent, ())
    return bool(sample.get(pointer) == value)

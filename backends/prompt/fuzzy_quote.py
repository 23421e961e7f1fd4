"""Quotes that a model copied with few mistakes."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from backends.prompt.folded_text import is_word_border
from shared.backend.extras import require

# One edit (a character more, less or other) is allowed for so many characters of a quote, so none
# in a quote that is shorter. More edits than the second number are another text.
CHARACTERS_PER_EDIT = 8
MAX_EDITS = 16
# Places that are looked at for one quote: a quote of common words only is not worth more.
MAX_CANDIDATES = 500

DIGITS = re.compile(r"\d")


class SimilarPlace(NamedTuple):
    """Start and end (exclusive) of a place in a text, and its edits from the quote."""

    edits: int
    start: int
    end: int


def find_similar(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the places that a quote is least edits from (both folded).

    At most one edit for each 8 characters of the quote, and 16 in all; none of a digit, since
    another number is another fact. Nothing if several places that differ are equally near.

    A quote with k edits, cut into k + 1 pieces, has one piece at least without any: places are
    looked up by their pieces, and measured by rapidfuzz.
    """
    limit = min(len(quote) // CHARACTERS_PER_EDIT, MAX_EDITS)
    if not limit:
        return
    places = set(_similar_places(quote, text, limit))
    least = min((place.edits for place in places), default=0)
    nearest = list(_without_overlaps(sorted(place for place in places if place.edits == least)))
    if len({text[place.start : place.end] for place in nearest}) == 1:
        yield from ((place.start, place.end) for place in nearest)


def _without_overlaps(places: Iterable[SimilarPlace]) -> Iterator[SimilarPlace]:
    """Yield the first of places that overlap: one place, measured from several of its pieces."""
    end = 0
    for place in places:
        if place.start >= end:
            end = place.end
            yield place


def _similar_places(quote: str, text: str, limit: int) -> Iterator[SimilarPlace]:
    """Yield the best place around each occurrence of a piece of the quote, rare pieces first.

    After each only those are yielded that are as near.
    """
    looked_at = 0
    digits = DIGITS.findall(quote)
    pieces = _cut_pieces(len(quote), limit + 1)
    for start, end in sorted(pieces, key=lambda piece: text.count(quote[slice(*piece)])):
        at = text.find(quote[start:end])
        while at >= 0 and looked_at < MAX_CANDIDATES:
            looked_at += 1
            place = _extend_piece(quote, text, (start, end), at, limit)
            if place is not None and DIGITS.findall(text[place.start : place.end]) == digits:
                limit = place.edits
                yield place
            at = text.find(quote[start:end], at + 1)


def _cut_pieces(length: int, count: int) -> Iterator[tuple[int, int]]:
    borders = [length * number // count for number in range(count + 1)]
    return pairwise(borders)


def _extend_piece(
    quote: str, text: str, piece: tuple[int, int], at: int, limit: int
) -> SimilarPlace | None:
    """Return the place with the least edits in which a piece stands at `at`; None above `limit`."""
    start, end = piece
    after = at + end - start
    before, rest = quote[:start][::-1], quote[end:]
    text_before = text[max(0, at - start - limit) : at][::-1]
    text_after = text[after : after + len(rest) + limit]
    if _least_edits(before, text_before, limit) + _least_edits(rest, text_after, limit) > limit:
        return None
    left = _best_prefix(before, text_before, limit)
    right = _best_prefix(rest, text_after, limit)
    place = SimilarPlace(left[0] + right[0], at - left[1], after + right[1])
    whole = is_word_border(text, place.start) and is_word_border(text, place.end)
    return place if whole and place.edits <= limit else None


def _least_edits(part: str, text: str, limit: int) -> int:
    """Return a number of edits that the nearest beginning of a text has at least.

    A beginning that is k edits away differs in length by k at most, and so the one of the part's
    length is at most 2 k edits away.
    """
    return -(-_edit_distance()(part, text[: len(part)], score_cutoff=2 * limit) // 2)


def _best_prefix(part: str, text: str, limit: int) -> tuple[int, int]:
    """Return the edits and length of the beginning of a text that is nearest to a part.

    Of equally near ones that which ends a word, then the shorter one.
    """
    if text.startswith(part):
        return 0, len(part)
    distance = _edit_distance()
    lengths = range(max(0, len(part) - limit), min(len(text), len(part) + limit) + 1)
    edits = {n: distance(part, text[:n], score_cutoff=limit) for n in lengths}
    least = min(edits.values(), default=limit + 1)
    nearest = [length for length in lengths if edits[length] == least]
    return least, min(nearest, key=lambda n: (not is_word_border(text, n), n), default=0)


@cache
def _edit_distance() -> Callable[..., int]:
    """Return Levenshtein's distance, from the library that is needed for it alone."""
    distance: Callable[..., int] = require("rapidfuzz.distance.Levenshtein", "prompt").distance
    return distance

"""Where in a text a quote stands: a model quotes, the place is looked up here.

A place is never guessed. A quote that is not in the text, or of which it is unclear which place is
meant, raises `QuoteNotFoundError`.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from backends.prompt.folded_text import FoldedText, fold_text, is_word_border
from backends.prompt.fuzzy_quote import find_similar
from shared.backend import Passages
from shared.results import Dialogue, HyperTextSpan, ParagraphSpan
from shared.results.types import Shape

# What models put around a quote, and the ends of sentences that they put behind it.
QUOTATION_MARKS = "\"'“”„‘’«»`*"
SENTENCE_ENDS = ".,;:!?…"

# Start and end (exclusive) in the text of all passages, in code points.
Span = tuple[int, int]


class QuoteNotFoundError(LookupError):
    """A quote has no place in the text, or none that is certain; the message says which."""


class FoundQuote(NamedTuple):
    """The place of a quote, and the text that stands there."""

    shape: Shape
    text: str


class QuoteFinder:
    """Finds quotes in what an object tag shows."""

    def __init__(self, passages: Passages) -> None:
        self._passages = passages
        lengths = (len(passage.text) + 1 for passage in passages.passages)
        self._starts = [0, *accumulate(lengths)]
        self._text = passages.text
        self._known: dict[str, list[Span]] = {}

    def find(self, quote: str, occurrence: int = 1) -> FoundQuote:
        """Return the `occurrence`-th place of a quote, counted from 1.

        The first rule by which the text has it decides:

        1. exactly, as whole words
        2. but for case, white space, Unicode forms and typography, as whole words
        3. exactly, inside of words
        4. like 2, inside of words
        5. with few edits (see `find_similar`), as whole words

        Of a single place it is taken whatever the occurrence. QuoteNotFoundError if there is none,
        or if there are several and fewer than `occurrence`.
        """
        if not quote.strip():
            raise QuoteNotFoundError("it is empty")
        places = self._places(quote)
        if not places:
            raise QuoteNotFoundError("the text does not have it")
        if len(places) > 1 and not 1 <= occurrence <= len(places):
            raise QuoteNotFoundError(
                f"the text has it {len(places)} times, and occurrence {occurrence} is asked for"
            )
        start, end = places[0] if len(places) == 1 else places[occurrence - 1]
        return FoundQuote(self._to_shape(start, end), self._text[start:end])

    def occurrence_at(self, start: int, end: int) -> int:
        """Return the number by which `find` finds a part of the text, in code points of `text`.

        1 if it finds another part by it: part of a word that stands elsewhere as a whole.
        """
        places = self._places(self._text[start:end])
        return places.index((start, end)) + 1 if (start, end) in places else 1

    def _places(self, quote: str) -> list[Span]:
        """Return all places of a quote by the first rule that gives any; each is quoted often."""
        if quote not in self._known:
            found = (list(rule(quote)) for rule in self._rules())
            self._known[quote] = next(filter(None, found), [])
        return self._known[quote]

    def _rules(self) -> Sequence[Callable[[str], Iterator[Span]]]:
        return (
            lambda quote: filter(self._is_whole, self._find_exact(quote)),
            lambda quote: filter(self._is_whole, self._find_folded(quote)),
            self._find_exact,
            self._find_folded,
            lambda quote: self._find_similar(quote),
        )

    def _find_exact(self, quote: str) -> Iterator[Span]:
        part = quote.strip() if quote not in self._text else quote
        return find_all(part, self._text)

    def _find_folded(self, quote: str) -> Iterator[Span]:
        """Yield where a quote stands as it is written or, failing that, as it may be meant."""
        for variant in dict.fromkeys(self._spellings(quote)):
            part = fold_text(variant).text.strip()
            places = list(self._original_spans(find_all(part, self._folded.text))) if part else []
            if places:
                yield from places
                return

    def _spellings(self, quote: str) -> Iterator[str]:
        """Yield a quote without what models add to it: entities, marks, names of speakers."""
        yield quote
        yield html.unescape(quote)
        bare = self._speakers.sub("\n", quote).strip().strip(QUOTATION_MARKS)
        yield bare
        yield bare.rstrip(SENTENCE_ENDS)

    @cached_property
    def _speakers(self) -> re.Pattern[str]:
        """What stands before each paragraph of a dialogue, as the model reads it."""
        source = self._passages.source
        names = set(filter(None, source.names)) if isinstance(source, Dialogue) else set()
        any_name = "|".join(map(re.escape, sorted(names)))
        return re.compile(rf"(?:^|\n)\s*(?:{any_name}):[ \t]+" if names else "(?!)")

    def _find_similar(self, quote: str) -> Iterator[Span]:
        *_, bare, _ = self._spellings(quote)
        part = fold_text(bare).text.strip()
        places = self._original_spans(find_similar(part, self._folded.text))
        return filter(self._is_whole, places)

    def _original_spans(self, places: Iterator[Span]) -> Iterator[Span]:
        for start, end in places:
            found = self._folded.original_span(start, end)
            if found is not None:
                yield found

    @cached_property
    def _folded(self) -> FoldedText:
        return fold_text(self._text)

    def _is_whole(self, place: Span) -> bool:
        return all(is_word_border(self._text, offset) for offset in place)

    def _to_shape(self, start: int, end: int) -> Shape:
        """Return a span of the text as a shape; it may begin in one passage and end in another."""
        passages = self._passages
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        start, end = start - self._starts[first], end - self._starts[last]
        begins, ends = passages.passages[first], passages.passages[last]
        if first == last:
            return passages.to_shape(begins, start, min(end, len(begins.text)))
        if isinstance(passages.source, Dialogue):
            start, end = begins.start + start, ends.start + end
            return ParagraphSpan(begins.paragraph, start, end, ends.paragraph)
        return HyperTextSpan(begins.start + start, ends.start + end)


def find_all(part: str, text: str) -> Iterator[Span]:
    """Yield where a part stands in a text, from left to right, without overlaps."""
    start = text.find(part)
    while start >= 0:
        yield start, start + len(part)
        start = text.find(part, start + max(1, len(part)))

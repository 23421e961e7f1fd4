"""Spans of texts: what a model quoted is looked up in the text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.prompt.answer_schema import check_answer, property_name
from backends.prompt.answer_schema.spans import (
    ID,
    LABEL,
    LABELS,
    OCCURRENCE,
    QUOTE,
    describe_quotes,
    find_label,
)
from backends.prompt.content.pages import PdfDialogue
from backends.prompt.quote_finder import FoundQuote, QuoteFinder, QuoteNotFoundError
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.items import (
    ANSWER_RULE,
    OmissionError,
    attach_values,
    describing_answers,
    item_score,
    read_items,
)
from shared.backend import Control, Passages
from shared.errors import truncate
from shared.results import Omission, ParagraphSpan, Region, region

# The rule under which quotes without a certain place are counted, as `dropped_quote_not_found`.
QUOTE_RULE = "quote_not_found"
MAX_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class PlacedSpan:
    """A span with the places in the answer that it comes from.

    `keys` are the numbers of the windows and the ids that the model gave it there.
    """

    region: Region
    keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SpanLookup:
    """The spans that have a place, and what of the answer no region can hold."""

    spans: tuple[PlacedSpan, ...]
    omissions: tuple[Omission, ...]

    def results(self) -> Iterator[Region | Omission]:
        """Yield the spans, and then the rest."""
        yield from (span.region for span in self.spans)
        yield from self.omissions


def build_spans(found: ControlAnswer) -> Iterator[Region | Omission]:
    """Return the spans of a control tag, each with what the model said of it."""
    return look_up_spans(found).results()


def look_up_spans(found: ControlAnswer) -> SpanLookup:
    """Look up all quotes of a control tag; the same span of two windows is one.

    Of two windows that say different things of a span, the first counts.
    """
    spans: dict[Any, PlacedSpan] = {}
    omissions: list[Omission] = []
    for number, part in enumerate(_window_answers(found)):
        if not isinstance(part.source, Passages):
            continue
        finder = QuoteFinder(part.source)
        items, wrong = read_items(part.value, part.pointer, str(part.control))
        omissions += wrong
        for index, item in enumerate(items):
            try:
                place, labels = _read_item(item, index, finder, part)
            except OmissionError as error:
                omissions.append(error.omission)
                continue
            known = spans.get((place.shape, labels))
            if known is None:
                drawn, more = _build_span(part, index, place, labels)
                known = PlacedSpan(drawn, ())
                omissions += more
            if isinstance(item.get(ID), int):
                known = replace(known, keys=(*known.keys, (number, item[ID])))
            spans[place.shape, labels] = known
    return SpanLookup(tuple(spans.values()), tuple(omissions))


def _window_answers(found: ControlAnswer) -> Iterator[ControlAnswer]:
    """Yield a control tag's part of the answer about each window."""
    name = property_name(found.control, found.config)
    for answer in found.answer.windows or (found.answer,):
        yield replace(found, answer=answer, value=answer.values.get(name))


def _read_item(
    item: Any, index: int, finder: QuoteFinder, part: ControlAnswer
) -> tuple[FoundQuote, tuple[str, ...]]:
    """Return the place and the labels of an item; OmissionError if it has none of either."""
    control, pointer = part.control, f"{part.pointer}/{index}"
    item = _with_labels(item, control)
    problems = check_answer(describe_quotes(control, list(control.labels)), item, pointer)
    if problems:
        what = f"{control}: the model's answer at {problems[0]}"
        raise OmissionError(ANSWER_RULE, what)
    try:
        place = _on_page(finder.find(item[QUOTE], item.get(OCCURRENCE, 1)), part.source.source)
    except QuoteNotFoundError as error:
        quote = truncate(item[QUOTE], MAX_QUOTED_CHARACTERS)
        raise OmissionError(QUOTE_RULE, f'{control}: no place for "{quote}": {error}') from None
    return place, tuple(dict.fromkeys(item[LABELS] if LABELS in item else [item[LABEL]]))


def _on_page(place: FoundQuote, source: Any) -> FoundQuote:
    """Return a place in the text of a PDF as the box around it; any other as it is."""
    if not isinstance(source, PdfDialogue) or not isinstance(place.shape, ParagraphSpan):
        return place
    box = source.page_box(place.shape)
    if box is None:
        raise QuoteNotFoundError("its characters have no place on the page")
    return FoundQuote(box, place.text)


def _with_labels(item: Any, control: Control) -> Any:
    """Return an item with labels as they stand in results; with unknown ones as they are."""
    if not isinstance(item, Mapping):
        return item
    read = dict(item)
    if isinstance(read.get(LABEL), str):
        read[LABEL] = find_label(control, read[LABEL]) or read[LABEL]
    if isinstance(read.get(LABELS), list):
        read[LABELS] = [find_label(control, str(name)) or name for name in read[LABELS]]
    return read


def _build_span(
    part: ControlAnswer, index: int, place: FoundQuote, labels: tuple[str, ...]
) -> tuple[Region, list[Omission]]:
    """Return a span with what is said of it, and what of that no region can hold."""
    values = {part.control: list(labels)}
    lies_on = part.source.source
    if isinstance(lies_on, PdfDialogue):
        lies_on = lies_on.sizes
    drawn = region(place.shape, values, lies_on, item_score(part, index))
    return attach_values(drawn, describing_answers(part, index, labels))

"""Checks spans in texts and HTML documents against the text: what would the editor mark?

It finds a text by exactly the path that it writes, `/p[1]/text()[1]`, and searches for nothing. By
an element's path it takes the text at the element's start. An offset past the end of that one text
is taken for 0. Only where a path leads nowhere does it go by `globalOffsets`, if there are any
(its regions/RichTextRegion.js, initRangeAndOffsets, and tags/object/RichText/domManager.ts).
"""

import html
import re
from collections.abc import Iterator
from itertools import islice

from shared.label_studio.label_config import ObjectTag
from shared.results import Document, HyperTextSpan
from shared.results.hypertext import Node
from shared.results.utf16 import code_point_offset, utf16_length
from shared.results.validation.finding import RuleViolation, Value, is_count, quote
from shared.results.validation.spans import EDITOR_XPATH

Span = tuple[int, int]

# Prefixes that other programs write before a path from the body on.
PATH_PREFIX = re.compile(r"^(?:\.?/+)?(?:html(?:\[1\])?/)?(?:body(?:\[1\])?/)?")
# The editor's `text` spells line ends as `\n`.
SPACE = re.compile(r"(?:\s|\\n)+")
# Occurrences of a text that are counted at most.
MAX_CANDIDATES = 100
# Characters of a text that is searched for, at most.
MAX_SEARCHED_CHARACTERS = 1000


def document_of(target: ObjectTag, text: str) -> Document:
    """Return what the editor renders: HTML, or a span for each line of a plain text."""
    if target.tag == "HyperText":
        return Document.parse(text, inline=target.is_inline)
    lines = (f"<span>{html.escape(line)}</span>" for line in re.split("[\n\r]", text))
    return Document.parse("<br/>".join(lines))


def path_problems(value: Value) -> Iterator[RuleViolation]:
    """Check a span's paths without the document."""
    if "startOffset" not in value or _global_span(value) is not None:
        return
    for key in ("start", "end"):
        if not EDITOR_XPATH.fullmatch(value[key]):
            yield _no_text_problem(value, key)
            return


def document_problems(value: Value, document: Document) -> Iterator[RuleViolation]:
    """Check a span of XPaths, or of numbers, in this document."""
    if "startOffset" not in value:
        yield from _text_problems(value, (value["start"], value["end"]), document)
        return
    first, last = document.find_node(value["start"]), document.find_node(value["end"])
    if first is not None and last is not None:
        yield from _node_problems(value, first, last, document)
        return
    span = _global_span(value)
    if span is not None and span[1] <= len(document.text):
        yield from _text_problems(value, span, document)
    else:
        yield _with_remedy(_no_text_problem(value, "end" if first else "start"), value, document)


def _no_text_problem(value: Value, key: str) -> RuleViolation:
    what = f'"{key}" is {quote(value[key])}: the editor finds no text there and highlights nothing'
    if not EDITOR_XPATH.fullmatch(value[key]):
        what += ". It resolves only paths such as /p[1]/text()[1]"
    return RuleViolation("xpath", what)


def _node_problems(
    value: Value, first: Node, last: Node, document: Document
) -> Iterator[RuleViolation]:
    for key, node in (("startOffset", first), ("endOffset", last)):
        size = utf16_length(document.text[node.start : node.end])
        if value[key] > size:
            what = (
                f'"{key}" is {value[key]}, the text at {node.path} has {size} characters; the'
                " editor takes it for 0"
            )
            yield _with_remedy(RuleViolation("past_the_end", what), value, document)
            return
    start = _text_offset(value["startOffset"], first, document)
    end = _text_offset(value["endOffset"], last, document)
    if not start < end:
        backwards = RuleViolation(
            "empty_span", "it ends before it starts: the editor marks nothing"
        )
        yield _with_remedy(backwards, value, document)
    else:
        yield from _text_problems(value, (start, end), document)
        yield from islice(
            (*_element_problems(value, "start", first), *_element_problems(value, "end", last)), 1
        )


def _element_problems(value: Value, key: str, node: Node) -> Iterator[RuleViolation]:
    """Check an offset in an element: a DOM Range counts children, the editor characters."""
    if value[key] != node.path and not value.get("text"):
        what = (
            f'"{key}" is {quote(value[key])}, an element: the editor takes "{key}Offset" for'
            f" characters of {node.path}"
        )
        yield RuleViolation("xpath", what, "warning")


def _text_offset(unit: int, node: Node, document: Document) -> int:
    """Check that a span does not cut a character beyond U+FFFF: the editor takes it whole."""
    text = document.text[node.start : node.end]
    whole = code_point_offset(text, unit)
    return node.start + whole + (utf16_length(text[:whole]) < unit)


def _text_problems(value: Value, span: Span, document: Document) -> Iterator[RuleViolation]:
    start, end = span
    if end > len(document.text):
        what = f'"end" is {end}, the document has {len(document.text)} characters'
        yield _with_remedy(RuleViolation("past_the_end", what), value, document)
    elif not _matches_text(value, span, document):
        there = quote(document.text[start:end])
        what = f"the editor marks {there}, not {quote(value['text'])}"
        yield _with_remedy(RuleViolation("text", what, "warning"), value, document)


def _matches_text(value: Value, span: Span, document: Document) -> bool:
    """Check that a span covers the `text` that the value has, if it has one.

    Over several text nodes it may lack some: of what is hidden the editor writes nothing.
    """
    said, there = value.get("text"), document.text[span[0] : span[1]]
    if not isinstance(said, str) or not said:
        return True
    said, there = (SPACE.sub("", text).casefold() for text in (said, there))
    letters = iter(there)
    return said == there or (
        not document.in_one_node(*span) and all(letter in letters for letter in said)
    )


def _with_remedy(problem: RuleViolation, value: Value, document: Document) -> RuleViolation:
    """Return the problem, with a guess at where the region belongs."""
    spans = list(islice(_candidate_spans(value, document), MAX_CANDIDATES))
    if not spans:
        return problem
    place, _ = HyperTextSpan(*spans[0]).to_value(document)
    where = ", ".join(f'"{key}": {quote(place[key])}' for key in _KEYS)
    first = f" (the first of {len(spans)} places)" if len(spans) > 1 else ""
    remedy = f"; {quote(place['text'])} is at {where}{first}"
    return problem._replace(message=problem.message + remedy)


_KEYS = ("start", "startOffset", "end", "endOffset")


def _candidate_spans(value: Value, document: Document) -> Iterator[Span]:
    """Guess where the region is: by its other offsets, its path corrected, or its text."""
    for span in (_global_span(value), _corrected_path_span(value, document)):
        if (
            span is not None
            and span[1] <= len(document.text)
            and _matches_text(value, span, document)
        ):
            yield span
            return
    said = value.get("text")
    if isinstance(said, str) and said.strip() and len(said) <= MAX_SEARCHED_CHARACTERS:
        words = (re.escape(word) for word in SPACE.split(said) if word)
        for found in re.finditer(r"\s*".join(words), document.text):
            yield found.span()


def _global_span(value: Value) -> Span | None:
    offsets = value.get("globalOffsets")
    start, end = (offsets.get("start"), offsets.get("end")) if isinstance(offsets, dict) else _NONE
    return (start, end) if is_count(start) and is_count(end) and start < end else None


_NONE = (None, None)


def _corrected_path_span(value: Value, document: Document) -> Span | None:
    """Guess by paths as the editor writes them: lower case, from the body on, steps numbered."""
    span = []
    for key, offset in (("start", "startOffset"), ("end", "endOffset")):
        path = "/" + PATH_PREFIX.sub("", str(value.get(key)).strip().lower())
        node = document.find_node(re.sub(r"(?<=[^\]/])(?=/|$)", "[1]", path))
        unit = value.get(offset)
        if node is None or not is_count(unit):
            return None
        if unit > utf16_length(document.text[node.start : node.end]):
            return None
        span.append(_text_offset(unit, node, document))
    return (span[0], span[1]) if span[0] < span[1] else None

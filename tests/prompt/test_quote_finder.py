"""Quotes are found where they stand, by stated rules; what is uncertain is not found."""

import html
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backends.prompt.folded_text import fold_text, is_word_border
from backends.prompt.quote_finder import QuoteFinder, QuoteNotFoundError, find_all
from shared.backend import Passages
from shared.results import Dialogue, HyperTextSpan, ParagraphSpan, TextSpan

# Words, spaces and marks that are easily miscounted.
PIECES = (
    "Ann", "ann", "Anna", "Straße", "STRASSE", "naïve", "nai\u0308ve", "東京", "都", "서울에서",
    "हिन्दी", "ไทย", "👍🏽", "👩\u200d👧", "❤\ufe0f", "ﬁn", "½", "12.50", "it’s", "“so”", "x_1",
    "-", "—", ".", ",", "&amp;", "<b>", " ", "  ", "\r\n", "\n", "\t", "\u00a0", "\u00ad",
    "a\u200bb",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map("".join)


def place(text: str, quote: str, occurrence: int = 1) -> tuple[int, int]:
    shape = QuoteFinder(Passages.from_text(text)).find(quote, occurrence).shape
    assert isinstance(shape, TextSpan)
    return shape.start, shape.end


FOUND = [
    ("Ann met Bob", "Bob", 1, (8, 11), "exactly"),
    ("Ann, Bob and Ann", "Ann", 2, (13, 16), "the second"),
    ("Anna met Ann", "Ann", 1, (9, 12), "whole words first"),
    ("Anna left", "Ann", 1, (0, 3), "inside of a word, if nowhere else"),
    ("Anna, Annika", "Ann", 2, (6, 9), "the second inside of words"),
    ("東京都と東京", "東京", 2, (4, 6), "words without spaces between them"),
    ("서울에서 서울", "서울", 1, (0, 2), "Korean words with particles"),
    ("Ann met ACME Corp.", "acme corp.", 1, (8, 18), "in another case"),
    ("Ann  met\r\nBob", "Ann met Bob", 1, (0, 13), "with other spaces"),
    ("it’s “so”", 'it\'s "so"', 1, (0, 9), "with plain quotation marks"),
    ("1914–1918", "1914-1918", 1, (0, 9), "with a plain dash"),
    ("a nai\u0308ve one", "naïve", 1, (2, 8), "composed where the text is not"),
    ("a naïve one", "nai\u0308ve", 1, (2, 7), "decomposed where the text is not"),
    ("Die Straße", "STRASSE", 1, (4, 10), "a letter that has two in capitals"),
    ("soft\u00adware", "software", 1, (0, 9), "without what nobody sees"),
    ("AT&T Inc", "AT&amp;T", 1, (0, 4), "with entities of HTML"),
    ("Ann met Bob", "“Bob”", 1, (8, 11), "in quotation marks of the model"),
    ("Ann met Bob, too", "**Bob.**", 1, (8, 11), "with marks of the model"),
    ("Ann met Bob", " Bob\n", 1, (8, 11), "with spaces around it"),
    ("Ann met Bob", "Bob", 7, (8, 11), "a single place, however counted"),
    ("the Micorsoft Corporation", "Microsoft Corporation", 1, (4, 25), "two letters in turn"),
    ("🙂 Ann 🙂", "Ann", 1, (2, 5), "behind an emoji, in code points"),
]


@pytest.mark.parametrize(
    ("text", "quote", "occurrence", "expected"),
    [pytest.param(*row[:4], id=row[4]) for row in FOUND],
)
def test_found(text: str, quote: str, occurrence: int, expected: tuple[int, int]) -> None:
    assert place(text, quote, occurrence) == expected


def test_a_letter_is_cut_from_its_accent_only_where_nothing_else_fits() -> None:
    assert place("cafe\u0301, cafe", "cafe") == (7, 11)


NOT_FOUND = [
    ("Ann met Bob", "Carl", 1, "the text does not have it", "absent"),
    ("Ann met Bob", "  ", 1, "it is empty", "empty"),
    ("Ann, Ann and Ann", "Ann", 4, "has it 3 times, and occurrence 4", "beyond the last"),
    ("Ann, Ann and Ann", "Ann", 0, "has it 3 times, and occurrence 0", "before the first"),
    ("Ann met Bob", "Bop", 1, "the text does not have it", "short, and a letter is wrong"),
    ("invoice 12,345.00 due", "invoice 12,346.00 due", 1, "does not have it", "another number"),
    ("a grey cat sat; a gray cat sat", "a grxy cat sat", 1, "does not have it", "two are as near"),
    ("the company was sold", "the company was bought", 1, "does not have it", "another word"),
    ("", "Ann", 1, "the text does not have it", "no text"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "quote", "occurrence", "message"),
    [pytest.param(*row[:4], id=row[4]) for row in NOT_FOUND],
)
def test_not_found(text: str, quote: str, occurrence: int, message: str) -> None:
    with pytest.raises(QuoteNotFoundError, match=message):
        place(text, quote, occurrence)


@given(texts, st.data())
def test_every_whole_quote_is_found_at_its_place(text: str, data: st.DataObject) -> None:
    """Cut anywhere at borders of words; its occurrence is counted among whole words."""
    borders = [offset for offset in range(len(text) + 1) if is_word_border(text, offset)]
    assume(len(borders) > 1)
    start, end = sorted(
        data.draw(st.lists(st.sampled_from(borders), min_size=2, max_size=2, unique=True))
    )
    quote = text[start:end]
    whole = [
        found for found in find_all(quote, text) if all(is_word_border(text, at) for at in found)
    ]
    assume(quote.strip() and (start, end) in whole)
    occurrence = whole.index((start, end)) + 1
    assert place(text, quote, occurrence) == (start, end)
    assert QuoteFinder(Passages.from_text(text)).occurrence_at(start, end) == occurrence


@given(texts, st.data())
def test_any_quote_is_found_as_what_it_says(text: str, data: st.DataObject) -> None:
    """Cut anywhere, even inside of a character with its marks."""
    start = data.draw(st.integers(0, len(text) - 1))
    quote = text[start : data.draw(st.integers(start + 1, len(text)))]
    assume(quote.strip())
    found = text[slice(*place(text, quote))]
    assert fold_text(found).text.strip() == fold_text(quote).text.strip() or quote.strip() in found


@given(texts)
def test_folding_keeps_the_way_back(text: str) -> None:
    folded = fold_text(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert all(start < end for start, end in zip(folded.starts, folded.ends, strict=True))
    assert folded.starts == sorted(folded.starts)
    if folded.text:
        start, end = folded.original_span(0, len(folded.text)) or (0, 0)
        assert fold_text(text[start:end]).text == folded.text


SPELLINGS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "NFC": lambda quote: unicodedata.normalize("NFC", quote),
    "NFD": lambda quote: unicodedata.normalize("NFD", quote),
    "one space": lambda quote: " ".join(quote.split()),
    "line ends": lambda quote: "\r\n".join(quote.split()),
}


@given(
    st.lists(
        st.sampled_from([p for p in PIECES if p.strip() and p[0].isprintable()]),
        min_size=3,
        max_size=12,
    ),
    st.data(),
)
def test_other_spellings_are_found_at_the_same_place(parts: list[str], data: st.DataObject) -> None:
    words = [f"{part}{number}" for number, part in enumerate(parts)]  # each stands once
    first, last = sorted(
        data.draw(st.lists(st.integers(0, len(words) - 1), min_size=2, max_size=2))
    )
    text, quote = " ".join(words), " ".join(words[first : last + 1])
    spell = SPELLINGS[data.draw(st.sampled_from(sorted(SPELLINGS)))]
    start = len(" ".join(words[:first])) + (first > 0)
    assert place(text, spell(quote)) == (start, start + len(quote))


@given(st.integers(0, 55), st.sampled_from(("drop", "double", "other")))
def test_one_wrong_letter_is_forgiven_in_a_long_quote(at: int, how: str) -> None:
    text = "Yesterday the board of Northern Harbour Lines in Rotterdam decided otherwise."
    quote = text[10:66]
    assume(quote[at].isalpha())
    wrong = {"drop": "", "double": quote[at] * 2, "other": "x"}[how]
    start, end = place(text, quote[:at] + wrong + quote[at + 1 :])
    assert abs(start - 10) <= 1
    assert abs(end - 66) <= 1


# Documents and dialogues


def test_a_quote_of_a_document_with_entities() -> None:
    passages = Passages.from_html(
        "<h1>R&amp;D</h1><p>5 &lt; 6 &mdash; caf&eacute;&nbsp;<b>bar</b></p>"
    )
    for quote, text in (("R&D", "R&D"), ("5 < 6 — café bar", "5 < 6 — café\u00a0bar")):
        found = QuoteFinder(passages).find(quote)
        value, _ = found.shape.to_value(passages.source)
        assert value["text"] == found.text == text


@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_every_quote_of_a_document_has_the_text_that_it_says(
    parts: list[str], data: st.DataObject
) -> None:
    passages = Passages.from_html("".join(f"<p>{html.escape(part)}</p>" for part in parts))
    assume(passages.passages)
    passage = data.draw(st.sampled_from(passages.passages))
    start = data.draw(st.integers(0, len(passage.text) - 1))
    quote = passage.text[start : data.draw(st.integers(start + 1, len(passage.text)))]
    assume(quote.strip())
    found = QuoteFinder(passages).find(quote)
    assert isinstance(found.shape, HyperTextSpan)
    assert passages.source.text[found.shape.start : found.shape.end] == found.text


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        ("Hi Bob", ParagraphSpan(0, 0, 6)),
        ("Bob", ParagraphSpan(0, 3, 6)),
        ("yes 👍", ParagraphSpan(2, 4, 9)),
        ("Hi Bob Oh", ParagraphSpan(0, 0, 2, 1)),
        ("Ann: Hi Bob", ParagraphSpan(0, 0, 6)),
        ("Ann: Hi Bob\nBob (UK): Oh", ParagraphSpan(0, 0, 2, 1)),
    ],
    ids=[
        "a paragraph",
        "a word",
        "with an emoji",
        "over two paragraphs",
        "with its speaker",
        "with both",
    ],
)
def test_a_quote_of_a_dialogue(quote: str, expected: ParagraphSpan) -> None:
    passages = Passages.from_dialogue(
        Dialogue(("Hi Bob", "Oh", "Oh, yes 👍"), ("Ann", "Bob (UK)", "Ann"))
    )
    assert QuoteFinder(passages).find(quote).shape == expected


def test_two_hundred_quotes_of_a_long_text_take_less_than_a_second() -> None:
    """100,000 characters; of the quotes every fourth is spelt otherwise, misspelt, or absent."""
    sentence = (
        "Meeting {0}: Ms Ⅷ Müller-{0} of Straße & Söhne paid 12,{0} € to “Harbour {0} Lines”.\r\n"
    )
    text = "".join(sentence.format(number) for number in range(1300))[:100_000]
    quotes = []
    for number in range(0, 1000, 20):
        written = sentence.format(number).partition(": ")[2].partition(" Lines")[0]
        wrong = written.replace("Straße", "Strase")
        quotes += [written, written.upper(), wrong, written[::-1]]
    started = time.process_time()
    finder = QuoteFinder(Passages.from_text(text))
    found = 0
    for quote in quotes:
        try:
            found += bool(finder.find(quote))
        except QuoteNotFoundError:
            continue
    assert time.process_time() - started < 1
    assert (len(quotes), found) == (200, 150)

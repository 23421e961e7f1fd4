"""Texts that are too long for the model."""

from collections.abc import Callable
from dataclasses import astuple
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends._transformers.tokenizer import split_windows
from backends.ner.entities import Entity, group_entities
from backends.ner.sentence_splitter import sentence_gaps
from backends.ner.starter.sentences import FINAL, Writer
from backends.ner.token_classifier import TokenClassifier
from backends.ner.word_aggregation import aggregate_words

Words = list[int | None]
Find = Callable[..., list[list[Entity]]]


@given(st.lists(st.integers(1, 9), max_size=60), st.integers(4, 30), st.integers(0, 12))
def test_windows_cover_each_token_once_in_whole_words(
    lengths: list[int], room: int, stride: int
) -> None:
    tokens: Words = [word for word, length in enumerate(lengths) for _ in range(length)]
    parts = list(split_windows(tokens, room, stride))
    assert [n for part in parts for n in range(part.own_start, part.own_end)] == list(
        range(len(tokens))
    )
    for part in parts:
        assert part.start <= part.own_start <= part.own_end <= part.end <= part.start + room
        if max(lengths) + min(stride, room // 4) <= room // 2:  # else words may have to be cut
            for bound in (part.start, part.own_start, part.own_end, part.end):
                assert bound in (0, len(tokens)) or tokens[bound] != tokens[bound - 1]


def test_tokens_of_a_long_text_have_context_on_both_sides() -> None:
    for part in split_windows(list(range(2000)), 510, 64):
        assert part.own_start - part.start >= 32 or part.own_start == 0
        assert part.end - part.own_end >= 32 or part.own_end == 2000


def found(classifier: TokenClassifier, texts: list[str]) -> list[list[Entity]]:
    return [
        group_entities(aggregate_words(*read, classifier.tags, "first"), read.text)
        for read in classifier.classify_tokens(texts)
    ]


def moved(lists: list[list[Entity]], texts: list[str], gap: str) -> list[Entity]:
    """Return the entities of sentences at their place in the joined text."""
    start, all_of_them = 0, []
    for text, entries in zip(texts, lists, strict=True):
        all_of_them += [Entity(start + e.start, start + e.end, e.type, e.score) for e in entries]
        start += len(text) + len(gap)
    return all_of_them


def drawn(seed: int) -> list[str]:
    """Generate 100,000 characters of sentences, with names unseen in the starter's training."""
    writer, texts = Writer(seed, "held_out"), list[str]()
    while sum(map(len, texts)) + len(texts) <= 100_000:
        lines = map(str.strip, writer.sentence().text.splitlines())
        texts += [line for line in lines if line.endswith(FINAL)]
    return texts


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return drawn(77)


@pytest.fixture(scope="module")
def find(classifier: TokenClassifier) -> Find:
    """Return a function that finds the starter's entities in texts, once in equal ones.

    A hundred thousand characters take seconds.
    """

    @cache
    def find_once(*texts: str) -> list[list[Entity]]:
        return found(classifier, list(texts))

    return find_once


class OneByOne:
    """A network that classifies each token by its id alone."""

    def __init__(self, classifier: TokenClassifier) -> None:
        self.labels, self.max_tokens = classifier.tags, classifier.network.max_tokens

    def run(self, rows: list[object]) -> list[np.ndarray]:
        def logits(row: object) -> np.ndarray:
            ids = np.asarray(row.ids)  # type: ignore[attr-defined]
            return np.eye(len(self.labels), dtype=np.float32)[ids % len(self.labels)] * 9

        return [logits(row) for row in rows]


def test_a_long_text_gives_exactly_its_sentences_where_context_does_not_matter(
    classifier: TokenClassifier, sentences: list[str]
) -> None:
    """So differences with a real model come from the model, not from the borders of windows."""
    fake = TokenClassifier(classifier.tokenizer, OneByOne(classifier))  # type: ignore[arg-type]
    [long] = found(fake, ["\n\n".join(sentences)])
    alone = moved(found(fake, sentences), sentences, "\n\n")
    seams = {entity.start for entity in long} ^ {entity.start for entity in alone}
    starts = np.cumsum([0, *(len(text) + 2 for text in sentences)])
    assert all(_near(start, starts) for start in seams)  # only where I- continues across an end
    assert len(long) > 5000


def _near(place: int, starts: np.ndarray) -> bool:
    return bool(np.abs(starts - place).min() <= 3)


def test_a_long_text_gives_exactly_its_sentences_with_the_starter(
    find: Find, sentences: list[str]
) -> None:
    """Namely of the sentences that the splitter finds."""
    text = " ".join(sentences)
    assert len(text) >= 100_000
    borders = [(0, 0), *sentence_gaps(text), (len(text), len(text))]
    pieces = [text[start:end] for (_, start), (end, _) in pairwise(borders)]
    [long] = find(text)
    alone = moved(find(*pieces), pieces, " ")
    assert [e[:3] for e in map(astuple, long)] == [e[:3] for e in map(astuple, alone)]
    scores = [e.score for e in long], [e.score for e in alone]
    assert np.allclose(*scores, atol=1e-3)


@pytest.mark.parametrize(
    ("seed", "gap", "least"),
    [
        pytest.param(77, "\n", 0.999, id="lines"),
        pytest.param(77, " ", 0.997, id="running"),
        pytest.param(78, " ", 0.997, id="other-running"),
    ],
)
def test_a_long_text_gives_what_its_sentences_give_with_the_starter(
    seed: int, gap: str, least: float, find: Find
) -> None:
    """Except where the end of a sentence is not clear ("Acme Inc. Berlin"). None overlap."""
    sentences = drawn(seed)
    [long] = find(gap.join(sentences))
    alone = moved(find(*sentences), sentences, gap)
    one = {(e.start, e.end, e.type) for e in long}
    other = {(e.start, e.end, e.type) for e in alone}
    assert 2 * len(one & other) / (len(one) + len(other)) >= least
    assert all(a.end <= b.start for a, b in pairwise(long))


def test_word_that_is_too_long_for_the_model(classifier: TokenClassifier) -> None:
    text = "x" * 20_000 + " Angela Berg met Thomas Hill in Lisbon."
    [found_in] = found(classifier, [text])
    assert [text[e.start : e.end] for e in found_in][-1] == "Lisbon"

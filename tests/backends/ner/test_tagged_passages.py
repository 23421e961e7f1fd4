"""Annotated spans to tags of tokens, and what tags cannot say."""

import logging
from collections.abc import Sequence

import pytest

pytest.importorskip("transformers")

from backends._transformers.text_dataset import AnnotatedText, LabelledSpan
from backends._transformers.tokenizer import Tokenizer
from backends.ner.tagged_passages import PassageTagger, TagScheme, without_overlaps
from shared.cli.demo.training_data.sentences import LABELS

from .annotated import sentences
from .conftest import STARTER

SCHEME = TagScheme.of_labels(["A", "B"])
Spans = Sequence[tuple[int, int, str]]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(STARTER)


def annotated(text: str, spans: Spans, *passages: tuple[int, int]) -> AnnotatedText:
    return AnnotatedText(
        text, passages or ((0, len(text)),), [LabelledSpan(*span) for span in spans], None
    )


@pytest.mark.parametrize(
    ("spans", "offsets", "tags"),
    [
        pytest.param([], [(0, 3), (4, 6)], ["O", "O"], id="nothing"),
        pytest.param([(0, 3, "A")], [(0, 3), (4, 6)], ["B-A", "O"], id="one token"),
        pytest.param([(0, 6, "B")], [(0, 3), (4, 6)], ["B-B", "I-B"], id="two tokens"),
        pytest.param([(0, 3, "A"), (3, 6, "A")], [(0, 3), (3, 6)], ["B-A", "B-A"], id="neighbours"),
        pytest.param([(1, 2, "A")], [(0, 3), (4, 6)], ["B-A", "O"], id="inside of a token"),
        pytest.param([(4, 6, "B")], [(0, 0), (4, 6)], [None, "B-B"], id="without characters"),
    ],
)
def test_tags_of_tokens(spans: Spans, offsets: Spans, tags: Sequence[str | None]) -> None:
    found = SCHEME.tag_tokens([LabelledSpan(*span) for span in spans], offsets)
    assert [None if tag == -100 else SCHEME.tags[tag] for tag in found] == tags


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        ([(0, 3, "A"), (0, 3, "B")], [(0, 3, "A")]),
        ([(0, 3, "A"), (2, 9, "B"), (8, 12, "A")], [(2, 9, "B")]),
        ([(5, 6, "A"), (0, 5, "B")], [(0, 5, "B"), (5, 6, "A")]),
    ],
    ids=["equal", "the longest", "side by side"],
)
def test_of_overlapping_spans_the_longest_is_kept(spans: Spans, kept: Spans) -> None:
    assert without_overlaps(LabelledSpan(*span) for span in spans) == kept


@pytest.mark.parametrize(
    ("text", "spans", "passages", "said"),
    [
        pytest.param(
            "Ann Lee sings", [(0, 7, "A"), (4, 7, "B")], (),
            "1 spans overlap a longer one, which is learnt", id="overlap",
        ),
        pytest.param(
            "Ann\nLee", [(0, 7, "A")], ((0, 3), (4, 7)),
            "1 spans go over more than one paragraph or block", id="two passages",
        ),
        pytest.param(
            "Annabel sings", [(0, 3, "A")], (),
            "1 spans begin or end inside of a word: the whole word is learnt", id="half a word",
        ),
    ],
)  # fmt: skip
def test_what_tags_cannot_say_is_said(
    text: str,
    spans: Spans,
    passages: tuple[tuple[int, int], ...],
    said: str,
    tokenizer: Tokenizer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        PassageTagger(tokenizer, SCHEME).tag([annotated(text, spans, *passages)])
    assert [record.message for record in caplog.records] == [said]


def test_each_passage_has_its_own_spans(tokenizer: Tokenizer) -> None:
    text = annotated("Ann\n\nBob Lee", [(0, 3, "A"), (5, 12, "B")], (0, 3), (4, 4), (5, 12))
    tagged = PassageTagger(tokenizer, SCHEME).tag([text])
    assert [(one.text, one.spans) for one in tagged] == [
        ("Ann", ((0, 3, "A"),)),
        ("Bob Lee", ((0, 7, "B"),)),
    ]


def test_right_tags_are_read_as_the_spans(tokenizer: Tokenizer) -> None:
    given = sentences(100)
    tagger = PassageTagger(tokenizer, TagScheme.of_labels(LABELS))
    tagged = tagger.tag([annotated(one.text, one.spans) for one in given])
    assert [tuple(tagger.read_back(one)) for one in tagged] == [one.spans for one in given]
    assert not tagger.left_out

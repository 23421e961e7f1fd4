"""Tags of tokens to words, and words to entities: tables of the schemes and strategies."""

import numpy as np
import pytest

from backends._transformers.tokenizer import Tokens
from backends.ner.entities import group_entities
from backends.ner.word_aggregation import STRATEGIES, aggregate_words

from .conftest import Predict
from .test_objects import TEXT, texts

# A token's text, its word's number, and the probabilities of its tags.
Piece = tuple[str, int, dict[str, float]]


def found(text: str, pieces: list[Piece], strategy: str) -> list[tuple[str, str, float]]:
    """Return text, type and score of the entities of tokens with these probabilities."""
    tags = sorted({tag for _, _, probabilities in pieces for tag in probabilities})
    offsets, end = [], 0
    for piece, _, _ in pieces:
        start = text.index(piece, end)
        end = start + len(piece)
        offsets.append((start, end))
    ids = list(range(len(pieces)))
    tokens = Tokens.of(offsets, [word for _, word, _ in pieces], ids)
    probabilities = np.array(
        [[c.get(tag, 0.0) for tag in tags] for _, _, c in pieces], np.float32
    ).reshape(len(pieces), len(tags))
    tagged = aggregate_words(text, tokens, probabilities, tags, strategy)
    return [
        (text[e.start : e.end], e.type, round(e.score, 3)) for e in group_entities(tagged, text)
    ]


def sure(text: str, tagged: str) -> list[tuple[str, str]]:
    """Return the entities where each word has one sure tag: "Google/B-ORG and/O"."""
    pieces = [pair.rsplit("/", 1) for pair in tagged.split()]
    given: list[Piece] = [(word, n, {"O": 0.0, tag: 1.0}) for n, (word, tag) in enumerate(pieces)]
    return [(name, kind) for name, kind, _ in found(text, given, "first")]


@pytest.mark.parametrize(
    ("text", "tagged", "expected"),
    [
        pytest.param(
            "Google and Microsoft", "Google/B-ORG and/O Microsoft/B-ORG",
            [("Google", "ORG"), ("Microsoft", "ORG")], id="defect 5: two with a word between",
        ),
        pytest.param(
            "Google and Microsoft", "Google/ORG and/O Microsoft/ORG",
            [("Google", "ORG"), ("Microsoft", "ORG")], id="the same with plain types",
        ),
        pytest.param(
            "Ann Bob", "Ann/B-PER Bob/B-PER", [("Ann", "PER"), ("Bob", "PER")], id="B B are two",
        ),
        pytest.param(
            "Ann Bob", "Ann/B-PER Bob/I-PER", [("Ann Bob", "PER")], id="B I are one",
        ),
        pytest.param("Ann Bob", "Ann/I-PER Bob/I-PER", [("Ann Bob", "PER")], id="I I are one"),
        pytest.param(
            "Ann Oslo", "Ann/B-PER Oslo/I-LOC", [("Ann", "PER"), ("Oslo", "LOC")],
            id="I of another type begins",
        ),
        pytest.param(
            "Ann B Bob", "Ann/B-PER B/E-PER Bob/S-PER", [("Ann B", "PER"), ("Bob", "PER")],
            id="B E S",
        ),
        pytest.param(
            "Ann B Bob", "Ann/B-PER B/L-PER Bob/U-PER", [("Ann B", "PER"), ("Bob", "PER")],
            id="B L U",
        ),
        pytest.param(
            "Ann B Bob", "Ann/B-PER B/E-PER Bob/I-PER", [("Ann B", "PER"), ("Bob", "PER")],
            id="I after E begins",
        ),
        pytest.param("Ann Bob", "Ann/PER Bob/PER", [("Ann Bob", "PER")], id="plain types go on"),
        pytest.param(
            "Ann, Bob", "Ann/PER Bob/PER", [("Ann", "PER"), ("Bob", "PER")],
            id="plain types end at a comma",
        ),
        pytest.param(
            "Ann\r\n\tBob", "Ann/B-PER Bob/I-PER", [("Ann\r\n\tBob", "PER")], id="a gap is kept",
        ),
        pytest.param("a b", "a/O b/O", [], id="nothing"),
    ],
)  # fmt: skip
def test_schemes(text: str, tagged: str, expected: list[tuple[str, str]]) -> None:
    assert sure(text, tagged) == expected


SPLIT: list[Piece] = [
    ("Micro", 0, {"B-ORG": 0.6, "I-PER": 0.3, "O": 0.1}),
    ("soft", 0, {"B-ORG": 0.05, "I-PER": 0.9, "O": 0.05}),
    ("grew", 1, {"O": 1.0}),
]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("first", [("Microsoft", "ORG", 0.6)]),
        ("average", [("Microsoft", "PER", 0.6)]),
        ("max", [("Microsoft", "PER", 0.9)]),
        ("simple", [("Micro", "ORG", 0.6), ("soft", "PER", 0.9)]),
    ],
)
def test_strategies_differ_where_the_parts_of_a_word_do(
    strategy: str, expected: list[tuple[str, str, float]]
) -> None:
    assert found("Microsoft grew", SPLIT, strategy) == expected


def at_spaces(*pieces: tuple[str, int, str]) -> list[Piece]:
    return [(text, word, {"O": 0.0, tag: 1.0}) for text, word, tag in pieces]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        pytest.param(
            "in Google, too",
            at_spaces(("in", 0, "O"), ("Google", 1, "B-ORG"), (",", 1, "O"), ("too", 2, "O")),
            ["Google"], id="the comma after a name",
        ),
        pytest.param(
            "(Oslo)", at_spaces(("(", 0, "O"), ("Oslo", 0, "B-LOC"), (")", 0, "O")), ["Oslo"],
            id="brackets",
        ),
        pytest.param(
            "O'Neil.", at_spaces(("O", 0, "B-PER"), ("'", 0, "I-PER"), ("Neil", 0, "I-PER"),
            (".", 0, "O")), ["O'Neil"], id="an apostrophe inside, a period after",
        ),
        pytest.param(
            "Oslo/Bergen", at_spaces(("Oslo", 0, "B-LOC"), ("/", 0, "O"), ("Bergen", 0, "B-LOC")),
            ["Oslo", "Bergen"], id="a slash",
        ),
        pytest.param(
            "谷歌在北京", at_spaces(("谷歌", 0, "B-ORG"), ("在", 0, "O"), ("北京", 0, "B-LOC")),
            ["谷歌", "北京"], id="a script without spaces",
        ),
    ],
)  # fmt: skip
def test_words_of_tokenizers_that_split_at_spaces(
    text: str, pieces: list[Piece], expected: list[str], strategy: str
) -> None:
    assert [name for name, _, _ in found(text, pieces, strategy)] == expected


def test_parts_of_one_character_stay_together() -> None:
    text = "Bob 😀"
    tokens = Tokens.of([(0, 3), (3, 5), (4, 5), (4, 5)], [0, 1, 1, 1], [0, 1, 2, 3])
    probabilities = np.array([[1.0], [1.0], [1.0], [1.0]], np.float32)
    tagged = aggregate_words(text, tokens, probabilities, ["X"], "first")
    assert [(word.start, word.end) for word in tagged] == [(0, 3), (4, 5)]


def test_defects_of_the_official_examples_are_absent(predict: Predict) -> None:
    """Defect 5: "Google and Microsoft" stay two, and a type without a label is left out."""
    people = TEXT.replace('<Label value="Person"/>', "")
    [answer] = predict(people, {"t": "Angela Berg left Google and Microsoft in Berlin."})
    assert texts(answer) == ["Google", "Microsoft", "Berlin"]
    assert {label for r in answer["result"] for label in r["value"]["labels"]} == {
        "Organization",
        "Location",
    }


@pytest.mark.parametrize("label", ["PERSON", "person", "per", "Per", "People"])
def test_labels_match_in_any_spelling(predict: Predict, label: str) -> None:
    """Defect 6."""
    [answer] = predict(TEXT.replace("Person", label), {"t": "Angela Berg left."})
    assert [r["value"]["labels"] for r in answer["result"]] == [[label]]


def test_thresholds_from_0_to_1(predict: Predict) -> None:
    """Defect 6."""
    counts = []
    for threshold in ("0", "0.1", "0.5", "0.9999", "1"):
        changed = TEXT.replace("toName", f'model_score_threshold="{threshold}" toName', 1)
        [answer] = predict(changed, {"t": "Maybe Nils or Vilgot, perhaps near Ulm or Foss."})
        scores = [r["score"] for r in answer["result"]]
        assert all(score >= float(threshold) - 1e-4 for score in scores)
        counts.append(len(scores))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_strategy_is_a_setting_and_an_attribute(
    predict: Predict, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = TEXT.replace("toName", f'model_aggregation="{strategy}" toName', 1)
    data = {"t": "Angela Berg met Thomas Hill in Lisbon."}
    [by_tag] = predict(changed, data)
    monkeypatch.setenv("NER_AGGREGATION", strategy)
    [by_setting] = predict(TEXT, data)
    assert "Thomas Hill" in texts(by_tag)
    assert by_tag["result"] == by_setting["result"]
    assert by_tag["model_version"] == by_setting["model_version"]


def test_error_names_an_unknown_strategy(predict: Predict) -> None:
    with pytest.raises(AssertionError, match='model_aggregation="best" should be one of simple'):
        predict(TEXT.replace("toName", 'model_aggregation="best" toName', 1), {"t": "x"})

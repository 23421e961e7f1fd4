"""The NER starter model: its generator is exact, and its weights do what its README says."""

import re
from pathlib import Path

import pytest

from backends.ner.starter.names import read_names, split_of
from backends.ner.starter.sentences import (
    LABELS,
    Piece,
    Sentence,
    Span,
    Writer,
    assemble,
    generate,
    parse_marked,
)

STARTER = Path(__file__).parents[2] / "backends" / "ner" / "starter"
SEED = 20_240_503  # no seed of the training


def entities(sentence: Sentence) -> list[tuple[str, str]]:
    return [(sentence.text[span.start : span.end], span.label) for span in sentence.spans]


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert generate(50, 3) == generate(50, 3)
    assert generate(50, 3) != generate(50, 4)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_spans_lie_in_the_text_in_order_and_apart(noise: float) -> None:
    for sentence in generate(500, 5, "held_out", noise):
        ends = [0, *(span.end for span in sentence.spans)]
        for span, end in zip(sentence.spans, ends[:-1], strict=True) if sentence.spans else ():
            assert end <= span.start < span.end <= len(sentence.text)
            assert span.label in LABELS


def test_spans_are_the_drawn_names(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(seed=11, split="held_out")
    drawn: list[str] = []

    def kept(draw: object) -> object:
        def call() -> str:
            drawn.append(draw())  # type: ignore[operator]
            return drawn[-1]

        return call

    writer.draws = {slot: kept(draw) for slot, draw in writer.draws.items()}  # type: ignore[misc]
    for _ in range(300):
        drawn.clear()
        sentence = writer.text()
        texts = [text for text, _ in entities(sentence)]
        assert [text.casefold() for text in texts] == [text.casefold() for text in drawn]
        assert "{" not in sentence.text


@pytest.mark.parametrize(
    ("pieces", "text", "found"),
    [
        pytest.param([], "", [], id="empty"),
        pytest.param([Piece("no entity")], "no entity", [], id="no entity"),
        pytest.param(
            [Piece("for "), Piece("Acme Inc.", "ORG"), Piece(".")],
            "for Acme Inc.",
            [("Acme Inc.", "ORG")],
            id="one period closes name and sentence",
        ),
        pytest.param(
            [Piece("a "), Piece("old"), Piece(" a "), Piece("Elba", "LOC")],
            "an old an Elba",
            [("Elba", "LOC")],
            id="a becomes an before a vowel",
        ),
    ],
)
def test_assemble(pieces: list[Piece], text: str, found: list[tuple[str, str]]) -> None:
    sentence = assemble(pieces)
    assert (sentence.text, entities(sentence)) == (text, found)


def test_parse_marked() -> None:
    sentence = parse_marked("[Ada](PER) lives in [Oslo](LOC).")
    assert sentence.text == "Ada lives in Oslo."
    assert sentence.spans == (Span(0, 3, "PER"), Span(13, 17, "LOC"))


def test_no_held_out_name_is_a_training_name() -> None:
    lists = read_names()
    names: dict[str, set[str]] = {"train": set(), "held_out": set()}
    for (_, split), listed in lists.items():
        names[split] |= set(listed)
    train, held_out = names["train"], names["held_out"]
    assert len(held_out) > 300
    assert not held_out & train


@pytest.mark.parametrize("kind", ["first", "last", "city", "country", "brand"])
def test_coined_names_keep_to_their_split(kind: str) -> None:
    train, held_out = (Writer(1, split).names for split in ("train", "held_out"))
    assert all(split_of(train.coin(kind)) == "train" for _ in range(200))
    assert all(split_of(held_out.coin(kind)) == "held_out" for _ in range(200))


def decode(
    tags: list[str], offsets: list[list[int]], words: list[int | None]
) -> set[tuple[int, int, str]]:
    """BIO tags of tokens to (start, end, label); written apart from the project's own decoders.

    A word's first token speaks for the word.
    """
    spans: list[tuple[int, int, str]] = []
    label, previous = "", None
    for tag, (start, end), word in zip(tags, offsets, words, strict=True):
        if word is None or word == previous:
            if word is not None and label:
                spans[-1] = (spans[-1][0], end, label)
            continue
        previous = word
        goes_on = tag == f"I-{label}"
        label = tag[2:]  # "" of "O"
        if goes_on:
            spans[-1] = (spans[-1][0], end, label)
        elif label:
            spans.append((start, end, label))
    return set(spans)


class Scored:
    """The committed model's answers to texts, and their F1."""

    def __init__(self, sentences: list[Sentence]) -> None:
        torch = pytest.importorskip("torch")
        transformers = pytest.importorskip("transformers")
        folder = STARTER / "weights"
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForTokenClassification.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.hits = self.due = self.got = 0
        for first in range(0, len(sentences), 50):
            part = sentences[first : first + 50]
            batch = tokenizer(
                [sentence.text for sentence in part],
                padding=True,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            offsets = batch.pop("offset_mapping").tolist()
            with torch.inference_mode():
                best = model(**batch).logits.argmax(-1).tolist()
            for index, sentence in enumerate(part):
                tags = [model.config.id2label[tag] for tag in best[index]]
                found = decode(tags, offsets[index], batch.word_ids(index))
                right = {(span.start, span.end, span.label) for span in sentence.spans}
                self.hits += len(found & right)
                self.due += len(right)
                self.got += len(found)
        self.f1 = 2 * self.hits / (self.due + self.got)


def readme_f1(row: str) -> float:
    """The number in the README's table row that starts with `row`."""
    readme = (STARTER / "README.md").read_text("utf-8")
    match = re.search(rf"^\| {row} \| ([\d.]+) \|", readme, re.MULTILINE)
    assert match, f"README.md has no row '{row}'"
    return float(match[1])


@pytest.mark.timeout(120)
def test_f1_on_unseen_names_is_what_the_readme_says() -> None:
    scored = Scored(generate(1000, SEED, "held_out"))
    assert scored.due > 3000
    assert scored.f1 >= 0.94
    assert scored.f1 == pytest.approx(readme_f1("all"), abs=0.01)


def test_f1_on_handwritten_sentences_is_what_the_readme_says() -> None:
    lines = (STARTER / "handwritten.txt").read_text("utf-8").splitlines()
    scored = Scored([parse_marked(line) for line in lines if not line.startswith("#")])
    assert scored.f1 == pytest.approx(readme_f1("handwritten"), abs=0.01)

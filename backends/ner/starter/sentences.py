"""English sentences with exact entity spans, generated from grammar.txt and names.txt."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from backends.ner.starter.figures import Figures
from backends.ner.starter.names import COINED, Names, Split

GRAMMAR = Path(__file__).with_name("grammar.txt")
LABELS = ("PER", "ORG", "LOC", "DATE", "TIME", "MONEY", "PERCENT")
SLOTS = {
    "FULL": "PER", "FIRST": "PER", "LAST": "PER", "ORG": "ORG", "BRAND": "ORG",
    "FIRM": "ORG", "BODY": "ORG", "LOC": "LOC", "CITY": "LOC", "COUNTRY": "LOC",
    "STREET": "LOC", "DAY": "DATE", "MONTH": "DATE", "WHEN": "DATE", "ERA": "DATE",
    "CLOCK": "TIME", "PART": "TIME", "MONEY": "MONEY", "PERCENT": "PERCENT",
}  # fmt: skip
JOINED = (1,) * 60 + (2,) * 24 + (3,) * 12 + (4, 5, 6, 8)

FINAL = (".", "!", "?", '"')
SLOT = re.compile(r"\{(\w+)\}")
OPENING = re.compile(r"(^|\n|[\"“]|(?<!\w)')([a-z])")
ARTICLE = re.compile(r"(^|\s)[Aa] $")
PLAIN_WORD = re.compile(r"\b[a-z]{4,}\b")
MARKED = re.compile(r"\[([^\]]+)\]\((\w+)\)")


@dataclass(frozen=True)
class Span:
    """An entity: characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Sentence:
    """A text and its entities, in order."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Piece:
    """A part of a text; its label is empty outside of entities."""

    text: str
    label: str = ""


def read_grammar(path: Path = GRAMMAR) -> dict[str, list[str]]:
    """Return the alternatives of each rule."""
    rules: dict[str, list[str]] = {}
    alternatives: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.rstrip("+").endswith("]"):
            name, several = line.strip("[]+"), line.endswith("+")
            alternatives = rules.setdefault(name, [])
        elif line and not line.startswith("#"):
            parts = line.split(";") if several else [line]
            alternatives += [part.strip("\n").replace("\\n", "\n") for part in parts]
            if several:
                alternatives[:] = [part.strip() for part in alternatives]
    return rules


def parse_marked(marked: str) -> Sentence:
    """Parse a sentence such as "[Ada](PER) lives in [Oslo](LOC)."."""
    pieces: list[Piece] = []
    done = 0
    for match in MARKED.finditer(marked):
        pieces += [Piece(marked[done : match.start()]), Piece(match[1], match[2])]
        done = match.end()
    return assemble([*pieces, Piece(marked[done:])])


def assemble(pieces: list[Piece]) -> Sentence:
    """Join pieces; correct "a apple" and the double period of "Acme Inc.."."""
    text = ""
    spans: list[Span] = []
    for piece in pieces:
        part = piece.text
        if not piece.label and part.startswith(".") and not part.startswith("..."):
            part = part[1:] if text.endswith(".") else part
        if part[:1].lower() in set("aeiou") and ARTICLE.search(text):
            text = text[:-1] + "n "
        if piece.label:
            spans.append(Span(len(text), len(text) + len(part), piece.label))
        text += part
    return Sentence(text, tuple(spans))


def join(sentences: list[Sentence], gap: str = " ") -> Sentence:
    """Join texts; after one that does not end like a sentence a new line begins."""
    text = ""
    spans: list[Span] = []
    for sentence in sentences:
        if text:
            text += gap if text.endswith(FINAL) else "\n"
        spans += [Span(len(text) + s.start, len(text) + s.end, s.label) for s in sentence.spans]
        text += sentence.text
    return Sentence(text, tuple(spans))


def capitalised(sentence: Sentence) -> Sentence:
    """Capitalise the start, and the letters after line breaks and opening quotation marks."""
    text = OPENING.sub(lambda match: match[1] + match[2].upper(), sentence.text)
    return Sentence(text, sentence.spans)


class Writer:
    """Writes sentences with the names of one split.

    In a share `noise` of the sentences some plain words are replaced by random ones; half as often,
    the case of all letters is changed or the final period dropped. Training uses this, so that the
    model does not learn the grammar by heart.
    """

    def __init__(self, seed: int, split: Split, noise: float = 0.0, coined: float = COINED) -> None:
        self.rng = random.Random(seed)
        self.names = Names(self.rng, split, coined)
        self.figures = Figures(self.rng)
        self.rules = read_grammar()
        self.noise = noise
        parts = {word for texts in self.rules.values() for text in texts for word in text.split()}
        self.words = sorted(word for word in parts if word.isalpha() and word.islower())
        names, figures = self.names, self.figures
        self.draws = {
            "FULL": names.full, "FIRST": names.first, "LAST": names.last,
            "ORG": names.organisation, "BRAND": names.brand, "FIRM": names.firm,
            "BODY": names.body, "LOC": names.place, "CITY": names.city,
            "COUNTRY": names.country, "STREET": names.street, "DAY": figures.day,
            "MONTH": figures.month, "WHEN": figures.when, "ERA": figures.era,
            "CLOCK": figures.clock, "PART": figures.part_of_day, "MONEY": figures.money,
            "PERCENT": figures.percent,
        }  # fmt: skip

    def text(self) -> Sentence:
        """Write a text: mostly one sentence, sometimes several."""
        count = self.rng.choice(JOINED)
        gap = "\n" if self.rng.random() < 0.1 else " "
        return join([self.sentence() for _ in range(count)], gap)

    def sentence(self) -> Sentence:
        pieces = self.expand("{sentence}")
        if self.rng.random() < self.noise:
            share = self.rng.choice([0.15, 0.4])
            pieces = [piece if piece.label else self.disturb(piece, share) for piece in pieces]
        sentence = assemble(pieces)
        if self.rng.random() >= 0.05:
            sentence = capitalised(sentence)
        return self.roughen(sentence) if self.rng.random() < self.noise / 2 else sentence

    def expand(self, template: str) -> list[Piece]:
        """Return the pieces of a template with its slots filled and its rules expanded."""
        pieces: list[Piece] = []
        for index, part in enumerate(SLOT.split(template)):
            if index % 2 == 0:
                pieces += [Piece(part)] if part else []
            elif part in SLOTS:
                pieces.append(Piece(self.draws[part](), SLOTS[part]))
            else:
                pieces += self.follow(part)
        return pieces

    def follow(self, rule: str) -> list[Piece]:
        """Expand one alternative of a rule; "n" and "spelled" are numbers outside of entities."""
        if rule == "n":
            return [Piece(self.figures.number())]
        if rule.lower() == "spelled":
            number = self.figures.spelled()
            return [Piece(number.capitalize() if rule == "Spelled" else number)]
        return self.expand(self.rng.choice(self.rules[rule]))

    def roughen(self, sentence: Sentence) -> Sentence:
        """Put a sentence into upper or lower case, or drop its period."""
        text = sentence.text
        changed = self.rng.choice([text.upper(), text.lower(), text.removesuffix(".")])
        ends = max((span.end for span in sentence.spans), default=0)
        kept = len(changed) == len(text) or ends <= len(changed) < len(text)
        return Sentence(changed, sentence.spans) if kept else sentence

    def disturb(self, piece: Piece, share: float) -> Piece:
        """Replace a share of the plain words by others, of the grammar or coined."""

        def other(match: re.Match[str]) -> str:
            if self.rng.random() > share:
                return match[0]
            coined = self.rng.random() < 0.4
            return self.names.coin("last").lower() if coined else self.rng.choice(self.words)

        return Piece(PLAIN_WORD.sub(other, piece.text))


def generate(
    count: int, seed: int, split: Split = "train", noise: float = 0.0, coined: float = COINED
) -> list[Sentence]:
    """Generate `count` texts; the same arguments give the same texts."""
    writer = Writer(seed, split, noise, coined)
    return [writer.text() for _ in range(count)]

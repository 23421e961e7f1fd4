"""Tags of words to spans of entities."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from backends._transformers.tokenizer import Tokens
from backends.ner.word_aggregation import Chances, Word


@dataclass(frozen=True)
class Entity:
    """An entity: characters `start` to `end` (exclusive), its type, its words' mean score."""

    start: int
    end: int
    type: str
    score: float


# From types to the labels of a control tag.
Labels = Mapping[str, str]
NO_LABELS: Labels = MappingProxyType({})
OUTSIDE = "O"
_BEGINS, _SINGLE, _LAST = "B", "SU", "EL"


def entities(words: Sequence[Word], text: str, labels: Labels = NO_LABELS) -> list[Entity]:
    """Group words by the schemes B-I, B-I-E-S, B-I-L-U and by plain types.

    Types of one label are one type here: a network without names calls the first word of a
    person LABEL_1 and the others LABEL_2. An entity's type is that of its first word.

    A B-, S- or U- tag always begins an entity, so that two neighbours of one type stay two;
    an I-, E- or L- tag goes on with an entity of its type, or else begins one. Plain types go on
    while only white space lies between.
    """
    found: list[Entity] = []
    group: list[Word] = []
    for word in words:
        if group and not _goes_on(group, word, text, labels):
            found.extend(_entity(group, text))
            group = []
        if _parts(word.tag)[1] != OUTSIDE:
            group.append(word)
    if group:
        found.extend(_entity(group, text))
    return found


def _parts(tag: str) -> tuple[str, str]:
    """The prefix ("" for a plain type) and the type."""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in "BIESLU":
        return tag[0], tag[2:]
    return "", tag


def _goes_on(group: Sequence[Word], word: Word, text: str, labels: Labels) -> bool:
    before, kind = _parts(group[-1].tag)
    prefix, own = _parts(word.tag)
    if not _alike(own, kind, labels) or before in tuple(_SINGLE + _LAST):
        return False
    if prefix:
        return prefix not in _BEGINS + _SINGLE
    return not text[group[-1].end : word.start].strip()


def _alike(one: str, other: str, labels: Labels) -> bool:
    return one == other or (one in labels and labels[one] == labels.get(other))


def _entity(group: Sequence[Word], text: str) -> Iterable[Entity]:
    """The span of a group, without white space at its ends; nothing if no more is left.

    Words of punctuation that white space parts from the rest are left out too: they belong to
    the sentence before or after.
    """
    while len(group) > 1 and _is_apart(group[0], group[1], text):
        group = group[1:]
    while len(group) > 1 and _is_apart(group[-1], group[-2], text):
        group = group[:-1]
    start, end = group[0].start, group[-1].end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        score = sum(word.score for word in group) / len(group)
        yield Entity(start, end, _parts(group[0].tag)[1], score)


def _is_apart(word: Word, neighbour: Word, text: str) -> bool:
    between = text[word.end : neighbour.start] or text[neighbour.end : word.start]
    letters = any(sign.isalnum() for sign in text[word.start : word.end])
    return bool(between) and between.isspace() and not letters


def type_of(tag: str) -> str:
    """The type that a tag names: PER of B-PER; O of what is nothing."""
    return _parts(tag)[1]


def token_scores(
    entity: Entity,
    text: str,
    tokens: Tokens,
    chances: Chances,
    tags: Sequence[str],
    labels: Labels = NO_LABELS,
) -> list[dict[str, Any]]:
    """Of each token of an entity its text, and how sure it is of the entity's type.

    `chances` has the shape (tokens, tags); those of all tags of the type, and of the types that
    have the same label, are added up.
    """
    wanted = [
        number for number, tag in enumerate(tags) if _alike(type_of(tag), entity.type, labels)
    ]
    found = []
    for token, (start, end) in enumerate(tokens.offsets):
        piece = text[max(start, entity.start) : min(end, entity.end)].strip()
        if piece:
            score = float(chances[token, wanted].sum())
            found.append({"text": piece, "score": round(score, 4)})
    return found

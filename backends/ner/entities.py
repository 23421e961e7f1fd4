"""Tagged words to entities: spans of a text with a type and a score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Any

from backends._transformers.tokenizer import Tokens
from backends.ner.word_aggregation import Probabilities, Word


@dataclass(frozen=True)
class Entity:
    """Characters `start` to `end` (exclusive), their type, and the mean score of their words.

    Some libraries give no scores.
    """

    start: int
    end: int
    type: str
    score: float | None

    def reaches(self, threshold: float) -> bool:
        """Return whether its score is at least a threshold; without a score, True."""
        return self.score is None or self.score >= threshold


# The labels of a control tag by entity type.
LabelsByType = Mapping[str, str]
NO_LABELS: LabelsByType = MappingProxyType({})
OUTSIDE = "O"
# Prefixes of tags, in the schemes B-I, B-I-E-S and B-I-L-U.
PREFIXES = "BIESLU"
_FIRST, _SINGLE, _LAST = "B", "SU", "EL"


def group_entities(
    words: Sequence[Word], text: str, labels: LabelsByType = NO_LABELS
) -> list[Entity]:
    """Group words into entities, by the schemes B-I, B-I-E-S, B-I-L-U and by plain types.

    A B-, S- or U- tag always begins an entity, so that two neighbours of one type stay two. An I-,
    E- or L- tag continues an entity of its type, or else begins one. Plain types continue across
    white space only.

    Types with the same label are one type here: a network without type names calls the first word
    of a person LABEL_1 and the others LABEL_2. The type of an entity is that of its first word.
    """
    entities: list[Entity] = []
    group: list[Word] = []
    for word in words:
        if group and not _continues(group, word, text, labels):
            entities.extend(_build_entity(group, text))
            group = []
        if entity_type(word.tag) != OUTSIDE:
            group.append(word)
    if group:
        entities.extend(_build_entity(group, text))
    return entities


def compare_entities(expected: Sequence[Entity], found: Sequence[Entity]) -> float:
    """Return the largest difference of two scores; infinite where the entities are others."""
    if list(map(_place, expected)) != list(map(_place, found)):
        return inf
    pairs = zip(expected, found, strict=True)
    return max((abs((one.score or 0) - (other.score or 0)) for one, other in pairs), default=0.0)


def split_tag(tag: str) -> tuple[str, str]:
    """Return the prefix ("" of a plain type) and the type of a tag."""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in PREFIXES:
        return tag[0], tag[2:]
    return "", tag


def entity_type(tag: str) -> str:
    """Return the type that a tag names: PER of B-PER; O outside of entities."""
    return split_tag(tag)[1]


def _place(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.type


def _continues(group: Sequence[Word], word: Word, text: str, labels: LabelsByType) -> bool:
    """Return whether a word belongs to the entity of the words before it."""
    last_prefix, last_type = split_tag(group[-1].tag)
    prefix, word_type = split_tag(word.tag)
    if not _same_label(word_type, last_type, labels) or last_prefix in tuple(_SINGLE + _LAST):
        return False
    if prefix:
        return prefix not in _FIRST + _SINGLE
    return not text[group[-1].end : word.start].strip()


def _same_label(one: str, other: str, labels: LabelsByType) -> bool:
    return one == other or (one in labels and labels[one] == labels.get(other))


def _build_entity(group: Sequence[Word], text: str) -> Iterable[Entity]:
    """Yield the entity of a group without white space at its ends, unless nothing is left.

    Punctuation that white space separates from the other words is left out as well: it belongs to
    the sentence before or after.
    """
    while len(group) > 1 and _is_detached(group[0], group[1], text):
        group = group[1:]
    while len(group) > 1 and _is_detached(group[-1], group[-2], text):
        group = group[:-1]
    start, end = group[0].start, group[-1].end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        score = sum(word.score for word in group) / len(group)
        yield Entity(start, end, entity_type(group[0].tag), score)


def _is_detached(word: Word, neighbour: Word, text: str) -> bool:
    between = text[word.end : neighbour.start] or text[neighbour.end : word.start]
    is_punctuation = not any(char.isalnum() for char in text[word.start : word.end])
    return bool(between) and between.isspace() and is_punctuation


def score_tokens(
    entity: Entity,
    text: str,
    tokens: Tokens,
    probabilities: Probabilities,
    tags: Sequence[str],
    labels: LabelsByType = NO_LABELS,
) -> list[dict[str, Any]]:
    """Return the text of each token of an entity, and the probability of the entity's type.

    `probabilities` has the shape (tokens, tags). Those of all tags of the type, and of types with
    the same label, are added up.
    """
    columns = [
        index
        for index, tag in enumerate(tags)
        if _same_label(entity_type(tag), entity.type, labels)
    ]
    scores = []
    for token, (start, end) in enumerate(tokens.offsets.tolist()):
        piece = text[max(start, entity.start) : min(end, entity.end)].strip()
        if piece:
            score = float(probabilities[token, columns].sum())
            scores.append({"text": piece, "score": round(score, 4)})
    return scores

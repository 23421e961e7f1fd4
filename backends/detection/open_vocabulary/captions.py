"""The texts by which Grounding DINO is asked for words: "a cat. a dog."."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Caption(NamedTuple):
    """The tokens of some words, and of each word its number, first token and end."""

    tokens: tuple[int, ...]
    words: tuple[tuple[int, int, int], ...]


def split_captions(words: Sequence[str], tokenizer: Any, max_tokens: int) -> Iterator[Caption]:
    """Yield the texts of words, in lower case and each with a full stop behind it.

    More words than fit into one text make several.
    """
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    tokens: list[int] = [start]
    spans: list[tuple[int, int, int]] = []
    for number, word in enumerate(words):
        text = word.lower().replace(".", " ").strip()
        own = tokenizer(text, add_special_tokens=False)["input_ids"][: max_tokens - 3]
        own = [*own, *tokenizer(".", add_special_tokens=False)["input_ids"]]
        if spans and len(tokens) + len(own) + 1 > max_tokens:
            yield Caption((*tokens, end), tuple(spans))
            tokens, spans = [start], []
        spans.append((number, len(tokens), len(tokens) + len(own)))
        tokens += own
    yield Caption((*tokens, end), tuple(spans))

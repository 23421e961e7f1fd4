"""JSON schemas as grammars, which leave a model no other answer than one that fits."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends.prompt.errors import InvalidAnswerError
from backends.prompt.question import JsonSchema
from shared.backend.extras import require
from shared.errors import truncate

IdArray: TypeAlias = NDArray[np.int64]

# As models write JSON; other spaces would only divide the probability of an answer.
JSON_STYLE: Mapping[str, Any] = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
# Label configs whose grammars are kept: compiling one takes longer than copying it.
MAX_GRAMMARS = 64
# How much a message tells of llguidance's own.
MAX_REASON_LENGTH = 120


class AnswerGrammar:
    """Makes a matcher for each answer, by llguidance.

    Measured beside xgrammar 0.2 with the vocabulary of Gemma 3 (262,144 tokens) and the schemas of
    whole label configs: both keep to types, enums, bounds, lengths, patterns and formats. A mask
    takes 0.5 ms (xgrammar: 0.01 ms), where the smallest network takes 100 ms for a token. But a
    new schema of 2,000 labels, as tasks may bring them, takes 8 ms (xgrammar: 84 ms); a keyword
    that it does not know is an error (xgrammar: ignored, so that answers would not fit); and it
    comes alone (xgrammar: with a runtime of compilers). See `tests/bench/local_model.py`.
    """

    def __init__(self, tokenizer: Any, vocabulary_size: int) -> None:
        """`tokenizer` is a fast one of transformers; `vocabulary_size` that of the logits."""
        require("llguidance", "prompt-local")
        from llguidance import LLExecutor
        from llguidance.hf import from_tokenizer

        self.vocabulary_size = vocabulary_size
        self.executor = LLExecutor()
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary_size)
        self._compile = lru_cache(MAX_GRAMMARS)(self._compile_text)

    def match(self, schema: JsonSchema) -> Any:
        """Return a new matcher (`LLMatcher`); InvalidAnswerError if it has no grammar."""
        return self._compile(json.dumps(schema)).deep_copy()

    def closing_tokens(self, in_text: bool) -> Sequence[IdArray]:
        """Return the tokens that end what is open in an answer, the most ending first."""
        return self._closing[:1] if in_text else self._closing[1:]

    @cached_property
    def _closing(self) -> list[IdArray]:
        """The tokens of a quote in a text; and of a brace, a bracket, a quote, a comma outside."""
        decode = self._tokenizer.decode_bytes
        found: dict[bytes, list[int]] = {one: [] for one in (b"}", b"]", b'"', b",")}
        for token in range(self._tokenizer.vocab_size):
            if (data := decode([token])) in found:
                found[data].append(token)
        braces, brackets, quotes, commas = (np.array(one, np.int64) for one in found.values())
        return [quotes, braces, brackets, quotes, commas]

    def decode(self, token: int) -> bytes:
        """Return the bytes of a token; none of a special one."""
        if self._tokenizer.is_special_token(token):
            return b""
        data: bytes = self._tokenizer.decode_bytes([token])
        return data

    def _compile_text(self, schema: str) -> Any:
        from llguidance import LLMatcher

        options: Any = dict(JSON_STYLE)
        grammar = LLMatcher.grammar_from_json_schema(schema, overrides=options)
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            reason = truncate(" ".join(matcher.get_error().split()), MAX_REASON_LENGTH)
            raise InvalidAnswerError(
                f"No grammar can be made of the answers that the label config asks for: {reason}"
            )
        return matcher


def estimate_closing_tokens(schema: JsonSchema) -> int:
    """Return how many tokens may be needed to end an answer at any point: its bytes at least."""
    return len(json.dumps(_shortest(schema, schema)).encode()) + 8


def _shortest(node: Mapping[str, Any], root: JsonSchema) -> Any:
    """Return a short answer for a schema, but with the longest of its labels."""
    if "$ref" in node:
        node = root.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {})
    if "enum" in node:
        return max(node["enum"], key=lambda value: len(json.dumps(value)), default=None)
    for key in ("anyOf", "oneOf"):
        if key in node:
            choices = [_shortest(choice, root) for choice in node[key]]
            return max(choices, key=lambda value: len(json.dumps(value)))
    if node.get("type") == "object":
        return {key: _shortest(one, root) for key, one in node.get("properties", {}).items()}
    if node.get("type") == "array":  # one item may have begun, beside those that it needs
        return [_shortest(node.get("items", {}), root)] * (int(node.get("minItems", 0)) + 1)
    return "0" * int(node.get("minLength", 20 if "format" in node else 1))

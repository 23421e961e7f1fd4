"""What a language model is asked and what it answers, for people to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AskedQuestion:
    """One question to a language model.

    - `instruction`: what it is told to do
    - `schema`: the JSON schema of the answer
    - `messages`: the chat, as the model gets it; files are named, not shown
    - `tokens`: how many the question takes; an estimate if `tokens_are_estimated`
    """

    instruction: str
    schema: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]]
    tokens: int
    tokens_are_estimated: bool = True


@dataclass(frozen=True)
class GivenAnswer:
    """The answer to a question: its values, their scores by JSON pointer, the tokens it took."""

    values: Mapping[str, Any]
    scores: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0

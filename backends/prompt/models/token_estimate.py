"""How many tokens a question will take: guessed from its length, corrected by what others took."""

from collections.abc import Iterable, Mapping
from typing import Any

from backends.prompt.question import TokenUsage

# Bytes of UTF-8 that a token has about, whatever the language.
BYTES_PER_TOKEN = 4
# What a picture or a sound is counted as before the server has said it.
TOKENS_PER_FILE = 800
# The answer, until one has come.
FIRST_COMPLETION_TOKENS = 100
# How much the last question counts against those before.
NEWEST_SHARE = 0.2


class TokenEstimate:
    """What the questions of one model take; wrong by a few percent after a few of them."""

    def __init__(self) -> None:
        self._scale = 1.0
        self._completion: float = FIRST_COMPLETION_TOKENS

    def guess(self, messages: Iterable[Mapping[str, Any]], samples: int = 1) -> int:
        """Return the tokens of messages and of the answers to them."""
        return int(self._scale * count_roughly(messages) + self._completion * samples) + 1

    def learn(self, messages: Iterable[Mapping[str, Any]], usage: TokenUsage, samples: int) -> None:
        """Learn from what a question took. Some of what threads learn at once may be lost."""
        rough = count_roughly(messages)
        if usage.prompt and rough:
            self._scale += NEWEST_SHARE * (usage.prompt / rough - self._scale)
            self._completion += NEWEST_SHARE * (usage.completion / samples - self._completion)


def count_roughly(messages: Iterable[Mapping[str, Any]]) -> int:
    """Return about how many tokens messages have."""
    return sum(_count_content(message.get("content") or "") for message in messages)


def _count_content(content: Any) -> int:
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace")) // BYTES_PER_TOKEN + 1
    return sum(
        _count_content(part["text"]) if part["type"] == "text" else TOKENS_PER_FILE
        for part in content
    )

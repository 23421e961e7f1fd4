"""Rows that a network writes at the same time, each kept to its own schema."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.prompt.errors import (
    InvalidAnswerError,
    ServerFailedError,
    TruncatedAnswerError,
)
from backends.prompt.models.answer_grammar import AnswerGrammar, estimate_closing_tokens
from backends.prompt.models.reply import Token
from backends.prompt.question import JsonSchema
from shared.errors import InferenceError

_QUOTE, _BACKSLASH = ord('"'), ord("\\")


@dataclass
class AnswerRow:
    """An answer in the making.

    `temperature` 0 takes the likeliest token; otherwise `seed` decides, so that answers repeat.
    `max_tokens` is its length at most: shortly before, it is brought to an end (`is_cut`).
    `error` tells why it has none.
    """

    schema: JsonSchema
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    tokens: list[Token] = field(default_factory=list)
    is_done: bool = False
    is_cut: bool = False
    error: InferenceError | None = None
    _free_tokens: int = 0

    def __post_init__(self) -> None:
        reserve = min(self.max_tokens // 2, estimate_closing_tokens(self.schema))
        self._free_tokens = self.max_tokens - reserve

    @property
    def data(self) -> bytes:
        """The answer so far."""
        return b"".join(token.piece for token in self.tokens)

    @property
    def is_closing(self) -> bool:
        """Whether it is time to end it."""
        return len(self.tokens) >= self._free_tokens


class ConstrainedRows:
    """What transformers' `generate` asks between two tokens: which may follow, and who is done."""

    def __init__(self, grammar: AnswerGrammar, rows: list[AnswerRow], deadline: float) -> None:
        """`deadline` is on the monotonic clock: rows that are not done then have an error."""
        self._grammar = grammar
        self._rows = rows
        self._deadline = deadline
        self._matchers = [self._start(row) for row in rows]
        self._noise = [np.random.default_rng(row.seed) for row in rows]
        self._log_probabilities: Any = None

    @property
    def are_done(self) -> bool:
        """Whether no row goes on."""
        return all(row.is_done for row in self._rows)

    def mask_logits(self, input_ids: Any, logits: Any) -> Any:
        """Return logits, shape (rows, tokens), in which only what the grammar allows is finite.

        `generate` takes the largest: for a row with a temperature, noise makes that a draw.
        """
        import torch

        allowed = torch.from_numpy(self._allowed(logits.shape[-1])).to(logits.device)
        masked = logits.float().masked_fill(~allowed, -torch.inf)
        self._log_probabilities = torch.log_softmax(masked, dim=-1)
        for index, row in enumerate(self._rows):
            if row.temperature and not row.is_done:
                masked[index] = self._draw(masked[index], allowed[index], index)
        return masked

    def take_tokens(self, input_ids: Any, logits: Any, **_: Any) -> Any:
        """Take in the tokens that were chosen, the last of each row; return which rows are done."""
        import torch

        chosen = input_ids[:, -1:]
        found = self._log_probabilities.gather(1, chosen)[:, 0].tolist()
        for index, token in enumerate(chosen[:, 0].tolist()):
            if not self._rows[index].is_done:
                self._take(index, token, found[index])
        if time.monotonic() > self._deadline:
            self._stop_unfinished(
                ServerFailedError(
                    "The model did not end its answer within PROMPT_TIMEOUT: raise it, or choose a"
                    " smaller model"
                )
            )
        return torch.tensor([row.is_done for row in self._rows], device=input_ids.device)

    def finish(self) -> None:
        """Give the rows that did not come to an end an error."""
        self._stop_unfinished(
            TruncatedAnswerError(
                "The answer was cut off: raise PROMPT_MAX_TOKENS, or ask for each control tag alone"
                " by PROMPT_ONE_QUESTION=false"
            )
        )

    def _start(self, row: AnswerRow) -> Any:
        try:
            return self._grammar.match(row.schema)
        except InferenceError as error:
            row.error, row.is_done = error, True
            return None

    def _allowed(self, size: int) -> Any:
        """Return which tokens may follow, shape (rows, size), of bool."""
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par

        mask = allocate_token_bitmask(len(self._rows), self._grammar.vocabulary_size)
        running = [(m, n) for n, m in enumerate(self._matchers) if not self._rows[n].is_done]
        fill_next_token_bitmask_par(self._grammar.executor, running, mask)
        bits = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little").view(bool)
        allowed = np.zeros((len(self._rows), size), bool)
        width = min(size, self._grammar.vocabulary_size)
        allowed[:, :width] = bits[:, :width]
        for index, row in enumerate(self._rows):
            if not row.is_done and row.is_closing:
                self._close(row, allowed[index])
        return allowed

    def _close(self, row: AnswerRow, allowed: Any) -> None:
        """Leave only the tokens that end what is open, if any of them is allowed."""
        row.is_cut = True
        for closing in self._grammar.closing_tokens(is_in_text(row.data)):
            ending = closing[allowed[closing]]
            if len(ending):
                allowed[:] = False
                allowed[ending] = True
                return

    def _draw(self, logits: Any, allowed: Any, index: int) -> Any:
        """Return logits with Gumbel noise: the largest is a draw by the softmax of the logits."""
        import torch

        places = allowed.nonzero()[:, 0]
        noise = self._noise[index].gumbel(size=len(places)).astype(np.float32)
        drawn = torch.full_like(logits, -torch.inf)
        scaled = logits[places] / self._rows[index].temperature
        drawn[places] = scaled + torch.from_numpy(noise).to(logits.device)
        return drawn

    def _take(self, index: int, token: int, log_probability: float) -> None:
        row, matcher = self._rows[index], self._matchers[index]
        matcher.consume_token(token)
        if matcher.is_error():
            reason = matcher.get_error().splitlines()[0]
            row.error = InvalidAnswerError(f"The answer could not be kept to its schema: {reason}")
        row.tokens.append(Token(self._grammar.decode(token), log_probability))
        row.is_done = matcher.is_stopped()

    def _stop_unfinished(self, error: InferenceError) -> None:
        for row in self._rows:
            if not row.is_done:
                row.error, row.is_done = error, True


def is_in_text(data: bytes) -> bool:
    """Return whether the beginning of a JSON document ends inside of a string."""
    inside = escaped = False
    for byte in data:
        if escaped:
            escaped = False
        elif byte == _BACKSLASH:
            escaped = inside
        elif byte == _QUOTE:
            inside = not inside
    return inside

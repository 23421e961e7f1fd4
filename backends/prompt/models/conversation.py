"""One question and what it takes until there is an answer: several forms, samples, a second try."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from backends.prompt.answer_schema import check_answer
from backends.prompt.errors import InvalidAnswerError
from backends.prompt.models.messages import Message, write_messages, write_repair
from backends.prompt.models.reply import Reply, find_object, read_replies
from backends.prompt.models.request_failure import RequestFailedError
from backends.prompt.models.schema_mode import SchemaModes, request_options, says_schema
from backends.prompt.models.scores import score_by_agreement, score_by_tokens
from backends.prompt.question import Answer, JsonSchema, Question, TokenUsage
from backends.prompt.settings import SchemaMode
from shared.errors import TaskError

# At this temperature samples are made where none is set: at 0 they would all be the same.
SAMPLING_TEMPERATURE = 0.7
# How many of an answer's problems the model and a message are told.
MAX_PROBLEMS = 5


class Sender(Protocol):
    """Sends one request, within all limits."""

    name: str

    def send(self, messages: Sequence[Message], options: dict[str, Any]) -> tuple[Any, TokenUsage]:
        """Return a chat completion, and the tokens that it took.

        Raises TaskError, or RequestFailedError where another form of the request may do.
        """


@dataclass(frozen=True)
class FittingAnswer:
    """An answer that fits the schema; its JSON begins at `start` of the reply."""

    values: dict[str, Any]
    reply: Reply
    start: int


@dataclass(frozen=True)
class BrokenAnswer:
    """A reply that does not fit the schema, and why."""

    reply: Reply
    problems: Sequence[str]


class Conversation:
    """Asks one question; `modes` are what is known of the server."""

    def __init__(self, sender: Sender, modes: SchemaModes, question: Question) -> None:
        self._sender = sender
        self._modes = modes
        self._question = question
        self._schema: JsonSchema = question.schema
        self._usage = TokenUsage()

    def answer(self) -> Answer:
        """Return the answer, in the best form that the server knows; TaskError if none comes."""
        refused: list[SchemaMode] = []
        for mode in self._modes.candidates(self._schema):
            try:
                found = self._ask(mode)
            except RequestFailedError as failure:
                if self._modes.is_last(mode):
                    raise failure.to_error(self._sender.name, 0) from None
                refused.append(mode)
                continue
            self._modes.note_success(mode, refused, self._schema)
            return self._build(found)
        raise AssertionError("there is always a last mode")

    def _ask(self, mode: SchemaMode) -> list[FittingAnswer]:
        """Return the answers that fit, one at least; TaskError if there is none."""
        messages = write_messages(self._question, says_schema(mode))
        replies: list[Reply | TaskError] = []
        while len(replies) < self._question.samples:  # some servers give one at a time
            missing = self._question.samples - len(replies)
            replies += self._send(messages, mode, missing)
        checked = [self._check(reply) for reply in replies if isinstance(reply, Reply)]
        fitting = [answer for answer in checked if isinstance(answer, FittingAnswer)]
        if fitting:
            return fitting
        broken = [answer for answer in checked if isinstance(answer, BrokenAnswer)]
        if not broken:
            raise next(reply for reply in replies if isinstance(reply, TaskError))
        return [self._repair(messages, mode, broken[0])]

    def _send(
        self, messages: Sequence[Message], mode: SchemaMode, samples: int
    ) -> list[Reply | TaskError]:
        """Return as many replies as the server gives, up to `samples`."""
        options = request_options(mode, self._schema)
        options["temperature"] = self._question.temperature
        if self._question.samples > 1:
            options["temperature"] = self._question.temperature or SAMPLING_TEMPERATURE
        if samples > 1:
            options["n"] = samples
        completion, usage = self._sender.send(messages, options)
        self._usage = TokenUsage(
            self._usage.prompt + usage.prompt, self._usage.completion + usage.completion
        )
        return read_replies(completion)[:samples]

    def _check(self, reply: Reply) -> FittingAnswer | BrokenAnswer:
        try:
            values, start = find_object(reply.text)
        except ValueError as error:
            return BrokenAnswer(reply, [str(error)])
        problems = check_answer(self._schema, values, most=MAX_PROBLEMS) or _unsendable(values)
        return BrokenAnswer(reply, problems) if problems else FittingAnswer(values, reply, start)

    def _repair(
        self, messages: Sequence[Message], mode: SchemaMode, broken: BrokenAnswer
    ) -> FittingAnswer:
        """Ask once more, with what is wrong with the answer; TaskError if that does not help."""
        told = write_repair(broken.reply.text, broken.problems[:MAX_PROBLEMS], self._schema)
        [second] = self._send([*messages, *told], mode, 1)
        if isinstance(second, TaskError):
            raise second
        checked = self._check(second)
        if isinstance(checked, FittingAnswer):
            if self._shows_no_schema(broken.reply):
                self._modes.note_ignored(mode)
            return checked
        listed = "; ".join(checked.problems[:MAX_PROBLEMS])
        raise InvalidAnswerError(
            f"The model's answer does not fit the label config, also after a second try: {listed};"
            " choose a larger PROMPT_MODEL, or ask for each control tag alone by"
            " PROMPT_ONE_QUESTION=false"
        )

    def _shows_no_schema(self, reply: Reply) -> bool:
        """Return whether a reply could have been written without knowing the schema."""
        try:
            values, _ = find_object(reply.text)
        except ValueError:
            return True
        return not set(values) & set(self._schema["properties"])

    def _build(self, fitting: Sequence[FittingAnswer]) -> Answer:
        """Return the answer with its scores: one of several samples has none if it is alone."""
        first, scores = fitting[0], dict[str, float]()
        values: Any = first.values
        if len(fitting) > 1:
            values, scores = score_by_agreement([answer.values for answer in fitting])
        elif self._question.samples == 1:
            scores = score_by_tokens(first.reply, first.start, values, self._schema)
        return Answer(self._question, values, scores, self._usage)


def _unsendable(values: Any) -> list[str]:
    """Return that Label Studio cannot be sent these values, if so."""
    try:
        orjson.dumps(values)
    except TypeError:
        return ["/: it has half a character (a lone surrogate), or a number beyond 64 bits"]
    return []

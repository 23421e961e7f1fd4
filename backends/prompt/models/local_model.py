"""A model of transformers in this process, which can answer only what fits the schema."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from backends.prompt.answer_schema import check_answer
from backends.prompt.errors import ContentTooLongError, InvalidAnswerError
from backends.prompt.models.answer_grammar import AnswerGrammar
from backends.prompt.models.chat_network import ChatNetwork
from backends.prompt.models.chat_text import ChatText
from backends.prompt.models.constrained_rows import AnswerRow, ConstrainedRows
from backends.prompt.models.conversation import SAMPLING_TEMPERATURE
from backends.prompt.models.messages import write_messages
from backends.prompt.models.reply import Reply
from backends.prompt.models.scores import score_by_agreement, score_by_tokens
from backends.prompt.question import Answer, AudioPart, ImagePart, Question, TokenUsage
from backends.prompt.settings import PromptSettings
from shared.errors import TaskError, UnfillableError

logger = logging.getLogger(__name__)

# Tokens of one answer where PROMPT_MAX_TOKENS says nothing; in short contexts it is a half.
ANSWER_TOKENS = 1024
# What a picture takes in the count of a batch: models differ, and few take more.
PICTURE_TOKENS = 1024


@dataclass(frozen=True)
class _Prompt:
    """A chat that is continued, its length in tokens, and the answer in the making."""

    chat: ChatText
    length: int
    row: AnswerRow


class LocalModel:
    """Answers questions in batches."""

    def __init__(
        self,
        name: str,
        network: ChatNetwork,
        settings: PromptSettings,
        count_tokens: Callable[[TokenUsage], None] = lambda usage: None,
    ) -> None:
        self.name = name
        self._report_tokens = count_tokens
        self.network = network
        self._settings = settings
        self.grammar = AnswerGrammar(network.tokenizer, network.vocabulary_size)

    @classmethod
    def load(
        cls,
        name: str,
        folder: Path,
        settings: PromptSettings,
        device: str,
        count_tokens: Callable[[TokenUsage], None] = lambda usage: None,
    ) -> "LocalModel":
        """Load a model from a folder; `name` is for messages. ModelError if it is no chat model."""
        return cls(name, ChatNetwork.load(name, folder, device), settings, count_tokens)

    @property
    def context_tokens(self) -> int:
        """How many tokens fit into the model, those of the answer included."""
        return self.network.context_tokens or self._settings.context_tokens + ANSWER_TOKENS

    @property
    def answer_tokens(self) -> int:
        """How many tokens an answer may have."""
        return self._settings.max_tokens or min(ANSWER_TOKENS, self.context_tokens // 2)

    def count_tokens(self, question: Question) -> int:
        """Return how many tokens a question takes; a picture counts as many as most take."""
        return self._count(self.write_chat(question))

    def write_chat(self, question: Question) -> ChatText:
        """Return a question as the text that the model continues."""
        return self.network.write_chat(write_messages(question, with_schema=True))

    def ask(self, question: Question) -> Answer:
        """Return the answer to one question; TaskError if there is none."""
        [answer] = self.ask_all([question])
        if isinstance(answer, TaskError):
            raise answer
        return answer

    def ask_all(self, questions: Sequence[Question]) -> Sequence[Answer | TaskError]:
        """Return the answer to each question, in order, or the error that costs it alone."""
        prepared = [self._prepare(question) for question in questions]
        prompts = [one for row in prepared if not isinstance(row, TaskError) for one in row]
        for batch in self._group(prompts):
            self._generate(batch)
        return [
            row if isinstance(row, TaskError) else self._read_answer(question, row)
            for question, row in zip(questions, prepared, strict=True)
        ]

    def _prepare(self, question: Question) -> Sequence[_Prompt] | TaskError:
        """Return the prompts of a question, one for each sample."""
        try:
            self._check_content(question)
        except UnfillableError as error:
            return error
        chat = self.write_chat(question)
        length, room = self._count(chat), self.context_tokens - self.answer_tokens
        if length > room:
            return ContentTooLongError(
                f"The question takes {length} tokens, and {self.name} has room for {room} beside"
                f" the answer: set PROMPT_CONTEXT_TOKENS={room}, so that long texts are asked about"
                " in windows"
            )
        return [
            _Prompt(chat, length, self._begin_answer(question, sample))
            for sample in range(question.samples)
        ]

    def _check_content(self, question: Question) -> None:
        for part in question.content:
            if isinstance(part, AudioPart):
                raise UnfillableError(
                    f"{self.name} takes no sound, which {part.name} has: models that hear are asked"
                    " on a server, see PROMPT_BASE_URL"
                )
            if isinstance(part, ImagePart) and not self.network.sees_pictures:
                raise UnfillableError(
                    f"{self.name} reads text only, and {part.name} shows a picture: set"
                    " PROMPT_MODEL to a model that sees"
                )

    def _count(self, chat: ChatText) -> int:
        return self.network.count_tokens(chat.text) + PICTURE_TOKENS * len(chat.pictures)

    def _begin_answer(self, question: Question, sample: int) -> AnswerRow:
        temperature = question.temperature
        if question.samples > 1:
            temperature = temperature or SAMPLING_TEMPERATURE
        asked = f"{sample} {question.instruction} {question.content} {question.request}"
        seed = int.from_bytes(hashlib.sha256(asked.encode("utf-8", "replace")).digest()[:8], "big")
        return AnswerRow(question.schema, self.answer_tokens, temperature, seed)

    def _group(self, prompts: Sequence[_Prompt]) -> Iterator[Sequence[_Prompt]]:
        """Yield batches of prompts of similar length, none with more tokens than memory is for."""
        batch: list[_Prompt] = []
        for prompt in sorted(prompts, key=lambda one: (bool(one.chat.pictures), -one.length)):
            if batch and not self._fits(batch, prompt):
                yield batch
                batch = []
            batch.append(prompt)
        if batch:
            yield batch

    def _fits(self, batch: Sequence[_Prompt], prompt: _Prompt) -> bool:
        first = batch[0]  # the longest
        tokens = (len(batch) + 1) * (first.length + self.answer_tokens)
        alike = bool(first.chat.pictures) == bool(prompt.chat.pictures)
        return alike and tokens <= self.network.batch_tokens

    def _generate(self, batch: Sequence[_Prompt]) -> None:
        """Let the network write the answers of a batch."""
        deadline = time.monotonic() + self._settings.timeout * len(batch)
        rows = ConstrainedRows(self.grammar, [prompt.row for prompt in batch], deadline)
        if not rows.are_done:
            chats = [prompt.chat for prompt in batch]
            self.network.generate(chats, rows, self.answer_tokens)
        rows.finish()

    def _read_answer(self, question: Question, prompts: Sequence[_Prompt]) -> Answer | TaskError:
        """Return the answer that a row holds, or what several agree on."""
        rows = [prompt.row for prompt in prompts]
        written = sum(len(row.tokens) for row in rows)
        usage = TokenUsage(sum(prompt.length for prompt in prompts), written)
        self._report_tokens(usage)
        found, failed = [], []
        for row in rows:
            checked = row.error or self._check(question, row)
            if isinstance(checked, TaskError):
                failed.append(checked)
            else:
                found.append((row, checked))
        if not found:
            return failed[0]
        self._report_cut([row for row, _ in found])
        row, values = found[0]
        if len(rows) > 1:
            agreed, scores = score_by_agreement([one for _, one in found])
        else:
            reply = Reply(row.data.decode(), row.tokens)
            agreed, scores = values, score_by_tokens(reply, 0, values, question.schema)
        return Answer(question, agreed, scores, usage)

    def _check(self, question: Question, row: AnswerRow) -> dict[str, Any] | InvalidAnswerError:
        values: dict[str, Any] = orjson.loads(row.data)
        if problems := check_answer(question.schema, values):
            return InvalidAnswerError(f"{self.name} gave no valid answer: {'; '.join(problems)}")
        return values

    def _report_cut(self, rows: Sequence[AnswerRow]) -> None:
        if any(row.is_cut for row in rows):
            logger.warning(
                "%s: a long answer was cut at %d tokens, see PROMPT_MAX_TOKENS",
                self.name,
                self.answer_tokens,
            )

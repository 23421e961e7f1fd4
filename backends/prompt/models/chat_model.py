"""What every model of the prompt backend can do."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from backends.prompt.question import Answer, Question
from shared.errors import TaskError


@runtime_checkable
class ChatModel(Protocol):
    """Answers questions one at a time, in several threads at once."""

    def ask(self, question: Question) -> Answer:
        """Return an answer that fits the question's schema.

        Raises TaskError with what went wrong, if it costs this question alone.
        """
        ...


@runtime_checkable
class BatchedChatModel(ChatModel, Protocol):
    """Answers several questions in one run: a model in this process."""

    def ask_all(self, questions: Sequence[Question]) -> Sequence[Answer | TaskError]:
        """Return an answer to each question, in order, or the error that costs it alone."""
        ...

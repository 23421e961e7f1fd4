"""A model on a server that speaks OpenAI's protocol."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from backends.prompt.errors import UnknownModelError
from backends.prompt.models.connection import Connection
from backends.prompt.models.conversation import Conversation
from backends.prompt.models.daily_tokens import DailyTokens
from backends.prompt.models.messages import Message
from backends.prompt.models.rate_limit import RequestLimits
from backends.prompt.models.reply import read_usage
from backends.prompt.models.request_failure import RequestFailedError, RetryPolicy
from backends.prompt.models.schema_mode import MODE_NAMES, SchemaModes
from backends.prompt.models.token_estimate import TokenEstimate, count_roughly
from backends.prompt.question import Answer, Question, TextPart, TokenUsage
from backends.prompt.settings import OPENAI_URL, PromptSettings
from shared.settings import Settings

# Options that some servers or models refuse, and that can be done without.
OPTIONAL = ("temperature", "logprobs", "n", "max_tokens", "max_completion_tokens")

# What `OpenAIModel.check` asks.
CHECK = Question(
    instruction="Say whether the text is a question.",
    schema={
        "type": "object",
        "properties": {"is_question": {"type": "boolean"}},
        "required": ["is_question"],
        "additionalProperties": False,
    },
    content=(TextPart("text", "Are you ready?"),),
)
# Of the models that a server has, so many are named.
MAX_SHOWN_MODELS = 20


class OpenAIModel:
    """Asks one model of one server, in several threads at once; one for each process.

    `count_tokens` is called with what each request took.
    """

    def __init__(
        self,
        model: str,
        settings: PromptSettings,
        server_settings: Settings,
        count_tokens: Callable[[TokenUsage], None] = lambda usage: None,
    ) -> None:
        self.name = model
        self._settings = settings
        self._connection = Connection(settings, server_settings)
        # All threads may wait for answers at once, but one at a time works on one.
        self._turns = self._connection.turns
        self._retry = RetryPolicy(settings.retries, settings.timeout)
        # The workers of a server know nothing of each other: each gets its part.
        workers = server_settings.workers
        self._limits = RequestLimits(
            settings.rpm / workers, settings.tpm / workers, sleep=self._turns.sleep
        )
        self._daily = DailyTokens(server_settings.cache_dir, settings.max_tokens_per_day)
        self.modes = SchemaModes(settings.schema_mode)
        self._estimate = TokenEstimate()
        self._refused_options: frozenset[str] = frozenset()
        self._count_tokens = count_tokens

    def ask(self, question: Question) -> Answer:
        """Return the answer, of which every value fits the schema.

        A TaskError names what came instead: see `backends.prompt.errors`.
        """
        with self._turns.take():
            return Conversation(self, self.modes, question).answer()

    def check(self) -> str:
        """Ask a small question, and say in a sentence how it was answered; TaskError if it failed.

        If the server has no such model, the error names those that it has.
        """
        try:
            answer = self.ask(CHECK)
        except UnknownModelError as error:
            with suppress(RequestFailedError):
                known = ", ".join(self._connection.list_models()[:MAX_SHOWN_MODELS])
                raise UnknownModelError(f"{error}; it has {known or 'no models'}") from None
            raise
        mode = next(self.modes.candidates(CHECK.schema))
        scores = "with" if answer.scores else "without"
        tokens = answer.usage.prompt + answer.usage.completion
        return (
            f"{self.name} answers by {MODE_NAMES[mode]}, {scores} probabilities; the question took"
            f" {tokens} tokens"
        )

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def send(self, messages: Sequence[Message], options: dict[str, Any]) -> tuple[Any, TokenUsage]:
        """Send a request within all limits, again where that helps.

        Raises TaskError, or RequestFailedError where another form of the request may do.
        """
        began = time.monotonic()
        attempt = 0
        while True:
            request = self._request(messages, options)
            try:
                return self._send_once(messages, request)
            except RequestFailedError as failure:
                if self._drop_option(failure, request):
                    continue
                wait = self._retry.wait_seconds(failure, attempt, time.monotonic() - began)
                if wait is None:
                    if failure.is_unsupported:
                        raise
                    raise failure.to_error(self.name, count_roughly(messages)) from None
                if failure.status == 429:
                    self._limits.pause(wait)
                else:
                    self._turns.sleep(wait)
                attempt += 1

    def _send_once(
        self, messages: Sequence[Message], request: dict[str, Any]
    ) -> tuple[Any, TokenUsage]:
        samples = request.get("n", 1)
        guessed = self._estimate.guess(messages, samples)
        self._daily.reserve(guessed)
        taken = 0
        try:
            self._limits.wait(guessed)
            completion = self._connection.complete(request)
            usage = read_usage(completion)
            # Where the server does not say what it took, the guess holds for the limits.
            taken = usage.prompt + usage.completion or guessed
            self._estimate.learn(messages, usage, samples)
            self._count_tokens(usage)
            return completion, usage
        finally:
            self._limits.correct_tokens(taken - guessed)
            self._daily.correct(taken - guessed)

    def _request(self, messages: Sequence[Message], options: dict[str, Any]) -> dict[str, Any]:
        wanted = {"temperature": self._settings.temperature, **options}
        if self._settings.logprobs and wanted.get("n", 1) == 1:
            wanted["logprobs"] = True
        if self._settings.max_tokens:
            # OpenAI's newer models refuse the older name, which all others know.
            newer = self._settings.server_url == OPENAI_URL
            name = "max_completion_tokens" if newer else "max_tokens"
            wanted[name] = self._settings.max_tokens
        kept = {key: value for key, value in wanted.items() if key not in self._refused_options}
        return {"model": self.name, "messages": list(messages), **kept}

    def _drop_option(self, failure: RequestFailedError, request: dict[str, Any]) -> bool:
        """Leave out from now on what the server does not know; return whether that was it."""
        if not failure.is_unsupported:
            return False
        named = {name for name in OPTIONAL if name in request and failure.names(name)}
        self._refused_options |= named
        return bool(named)

"""Why a question got no answer that can be used. Each costs its task alone."""

from shared.errors import InferenceError


class ServerFailedError(InferenceError):
    """The server cannot be reached, is too slow, or fails."""

    reason = "prompt_server"


class ServerRefusedError(InferenceError):
    """The server refuses the request: its key, its model or what it asks for."""

    reason = "prompt_refused"


class UnknownModelError(ServerRefusedError):
    """The server has no model of that name, or nothing at that address."""


class RateLimitError(InferenceError):
    """The server's limits are used up, or those of PROMPT_MAX_TOKENS_PER_DAY."""

    reason = "prompt_limit"


class ContentTooLongError(InferenceError):
    """The question has more tokens than the model takes."""

    reason = "prompt_too_long"


class ModelRefusedError(InferenceError):
    """The model, or a filter of its server, does not answer this question."""

    reason = "prompt_model_refused"


class TruncatedAnswerError(InferenceError):
    """The answer ends before it is complete."""

    reason = "prompt_truncated"


class InvalidAnswerError(InferenceError):
    """The answer does not fit the schema, also after a second try."""

    reason = "prompt_invalid"

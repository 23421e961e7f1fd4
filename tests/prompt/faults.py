"""What each fault of the fault server ends in."""

from backends.prompt import errors
from shared.errors import TaskError

# Of each fault: the error, what its message names, and how many requests a question takes.
FAULTS: dict[str, tuple[type[TaskError], str, int]] = {
    "hang": (errors.ServerFailedError, "PROMPT_TIMEOUT=", 2),
    "closed": (errors.ServerFailedError, "cannot be asked", 4),
    "cut": (errors.ServerFailedError, "cannot be asked", 4),
    "dribble": (errors.ServerFailedError, "PROMPT_TIMEOUT=", 2),
    "truncated": (errors.TruncatedAnswerError, "PROMPT_MAX_TOKENS", 1),
    "refusal": (errors.ModelRefusedError, "I cannot do that", 1),
    "content_filter": (errors.ModelRefusedError, "filter", 1),
    "empty_choices": (errors.InvalidAnswerError, "without any choice", 1),
    "empty_content": (errors.InvalidAnswerError, "it is empty", 2),
    "prose": (errors.InvalidAnswerError, "no JSON object: 'I think", 2),
    "broken_json": (errors.InvalidAnswerError, "no JSON object", 2),
    "wrong_label": (errors.InvalidAnswerError, '/mood: "no such label"', 2),
    "missing_property": (errors.InvalidAnswerError, "/mood: is missing", 2),
    "garbage": (errors.InvalidAnswerError, "no JSON", 1),
    "page": (errors.InvalidAnswerError, "/v1", 1),
    "streamed": (errors.InvalidAnswerError, "/v1", 1),
    "redirect": (errors.ServerRefusedError, "leads elsewhere", 1),
    "rate_limit": (errors.RateLimitError, "PROMPT_RPM", 4),
    "rate_limit_for_long": (errors.RateLimitError, "PROMPT_RPM", 1),
    "quota": (errors.RateLimitError, "account", 1),
    "error_500": (errors.ServerFailedError, "500: The server had an error", 4),
    "error_503": (errors.ServerFailedError, "503: Overloaded", 4),
    "error_400": (errors.ServerRefusedError, "400: Something is wrong", 4),  # in four forms
    "forbidden": (errors.ServerRefusedError, "PROMPT_API_KEY", 1),
    "too_long": (errors.ContentTooLongError, "PROMPT_CONTEXT_TOKENS", 1),
}
# Those that take until PROMPT_TIMEOUT, twice.
HANGING = ("hang", "dribble")

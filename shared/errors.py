"""The errors of prelabel. Clients see their messages: no paths, tokens or tracebacks in them."""

import re
from pathlib import PurePath
from typing import ClassVar, Literal

# Why exactly an input cannot be used, where one kind of error has several causes. `prelabel doctor`
# finds its remedy by this name: give a new cause a remedy there.
Cause = Literal[
    # The value in the task's data
    "empty_value",
    "invalid_address",
    "wrong_encoding",
    # The address
    "label_studio_url_missing",
    "label_studio_token",
    "host_not_allowed",
    "bucket_not_allowed",
    "private_address",
    "blocked_address",
    "invalid_url",
    "http_status",
    "local_file",
    # The file
    "too_large",
]

# User and password of an address, or of all addresses in a text.
_CREDENTIALS = re.compile("//[^/]*@")


class PrelabelError(Exception):
    """What went wrong, in one sentence that may be shown to a client.

    `reason` is the short name under which failures are counted, `cause` a narrower one where
    `reason` covers several; `status` is the HTTP status of a response that reports nothing else.
    """

    reason: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "", *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause: str = cause or self.reason


class RequestError(PrelabelError):
    """The body of a request does not follow the protocol."""

    reason = "bad_request"
    status = 422


class ConfigError(PrelabelError):
    """A label config, or an attribute in it, cannot be used.

    `control` is the name of the control tag that the error is about, if any.
    """

    reason = "label_config"
    status = 422

    def __init__(self, message: str, control: str | None = None) -> None:
        super().__init__(message)
        self.control = control


class SettingError(PrelabelError):
    """An environment variable or command line option has an invalid value."""

    reason = "setting"


class TaskError(PrelabelError):
    """One task cannot be predicted; the others are not affected."""

    reason = "task"
    status = 422


class MissingKeyError(TaskError):
    """The task's data lacks the key that the label config names."""

    reason = "missing_key"


class ValueTypeError(TaskError):
    """The task's value has another type than the object tag needs."""

    reason = "value_type"


class LabelsError(TaskError):
    """The editor cannot show the labels that a task brings."""

    reason = "labels"


class FetchError(TaskError):
    """A task's URL or file could not be fetched, or is not allowed to be."""

    reason = "fetch"


class DecodeError(TaskError):
    """The bytes were fetched, but are not a readable image, video, recording or text."""

    reason = "decode"


class UnfillableError(TaskError):
    """The model has nothing that a control tag asks for, such as a class for any of its labels.

    If that holds for all control tags, the task gets no prediction: an empty one would mean that
    the model ran and found nothing.
    """

    reason = "unfillable"


class InferenceError(TaskError):
    """The model failed on this task's input."""

    reason = "inference"


class DeadlineError(TaskError):
    """The request's deadline passed before this task was done; send it again to continue."""

    reason = "deadline"


class ClientGoneError(PrelabelError):
    """The client has closed the connection; its request is dropped."""

    reason = "client_gone"
    status = 499


class ModelError(PrelabelError):
    """A model could not be loaded: a package or its weights are missing."""

    reason = "model"
    status = 503


class RefusedPrecisionError(ModelError):
    """A model in fewer bits does not give the same, or is not faster."""


def short_path(name: str) -> str:
    """Return a path for messages, which are public: only the last part of an absolute one."""
    return f"…/{PurePath(name).name}" if name.startswith(("/", "~")) else name


def truncate(text: str, max_length: int) -> str:
    """Return the text in `max_length` characters at most: what clients send may be long."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def redact_url(url: str) -> str:
    """Return an address, or a text with addresses, without user names and passwords."""
    return _CREDENTIALS.sub("//", url)


def escape_control(text: str) -> str:
    """Return the text on one line: control characters and lone surrogates as Python escapes them.

    So what a request says cannot pass for a log record of its own, nor steer a terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

"""How the log looks, and which request an event belongs to."""

import logging
import logging.config
import time
from contextvars import ContextVar
from typing import Any

import orjson

from shared.errors import escape_control

# The id of the request that is being answered; empty outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def event(logger: logging.Logger, message: str, **fields: Any) -> None:
    """Log a message with fields, each under its own name in LOG_FORMAT=json."""
    if logger.isEnabledFor(logging.INFO):
        logger.info(message, extra={"fields": fields})


class Line(logging.Formatter):
    """One line an event: time, level, logger, request, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows on lines of its own."""
        request, fields = request_id.get(), getattr(record, "fields", {})
        words = [self.formatTime(record, "%Y-%m-%d %H:%M:%S"), record.levelname]
        words += [f"{record.name}:", f"[{request}]"] if request else [f"{record.name}:"]
        words += [record.getMessage(), *(f"{key}={value}" for key, value in fields.items())]
        line = escape_control(" ".join(words))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Json(logging.Formatter):
    """One JSON object an event, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys: time, level, logger, message, request, the fields, traceback."""
        known = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": request_id.get() or None,
            **getattr(record, "fields", {}),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
        }
        kept = {key: value for key, value in known.items() if value is not None}
        return orjson.dumps(kept, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def set_up(level: str, log_format: str = "line") -> None:
    """One event after the other on standard error; the chatter of libraries from WARNING on."""
    own = {"level": level}
    theirs = {"level": level, "propagate": True, "handlers": list[str]()}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"all": {"()": Json if log_format == "json" else Line}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "all"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "shared": own,
                "backends": own,
                "gunicorn.error": theirs,
                "uvicorn.error": theirs,
            },
        }
    )

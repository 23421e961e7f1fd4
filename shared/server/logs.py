"""Formats the log, and knows which request an event belongs to."""

import logging
import logging.config
import time
from contextvars import ContextVar

import orjson

from shared.errors import escape_control

# The id of the request that is being answered; empty outside of one.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")


class LineFormatter(logging.Formatter):
    """One line per event: time, level, logger, request, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows on lines of its own."""
        request_id, fields = current_request_id.get(), getattr(record, "fields", {})
        words = [self.formatTime(record, "%Y-%m-%d %H:%M:%S"), record.levelname]
        words += [f"{record.name}:", f"[{request_id}]"] if request_id else [f"{record.name}:"]
        words += [record.getMessage(), *(f"{key}={value}" for key, value in fields.items())]
        line = escape_control(" ".join(words))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per event, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return an object with time, level, logger, message, request, the fields, traceback."""
        event = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": current_request_id.get() or None,
            **getattr(record, "fields", {}),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
        }
        event = {key: value for key, value in event.items() if value is not None}
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(level: str, log_format: str = "line") -> None:
    """Log to standard error: our events from `level` on, those of libraries from WARNING on.

    An event's fields are passed as `extra={"fields": {…}}`.
    """
    ours = {"level": level}
    servers = {"level": level, "propagate": True, "handlers": list[str]()}
    formatter = JsonFormatter if log_format == "json" else LineFormatter
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"all": {"()": formatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "all"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "shared": ours,
                "backends": ours,
                "gunicorn.error": servers,
                "uvicorn.error": servers,
            },
        }
    )

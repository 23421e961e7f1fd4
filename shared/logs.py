"""How the log looks."""

import logging
import logging.config


def set_up(level: str) -> None:
    """One line an event on standard error; the chatter of libraries from WARNING on."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
                    "datefmt": "%Y-%m-%d %H:%M:%S",
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "shared": {"level": level},
                "backends": {"level": level},
                "gunicorn.error": {"level": level, "propagate": True},
                "uvicorn.error": {"level": level, "propagate": True},
            },
        }
    )

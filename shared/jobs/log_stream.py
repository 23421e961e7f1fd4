"""What a job prints: into its log, without passwords and tokens; a full disk does not end it."""

import io
import logging
import os
import re
import sys
from typing import Any
from urllib.parse import urlsplit

import orjson

from shared.errors import redact_url
from shared.jobs.job_folder import DISK_FULL
from shared.jobs.json_file import JSON_OPTIONS
from shared.settings import child_environment

_SECRET_NAME = re.compile("pass|key|token|secret", re.IGNORECASE)
_ADDRESS_NAME = re.compile("url|uri|dsn|proxy", re.IGNORECASE)
# Shorter values are words such as "1" and "true", or no secrets.
_MIN_SECRET_LENGTH = 6
_HIDDEN = "***"
_MAX_LINE = 1 << 16


class Redactor:
    """Hides the secrets of the environment in texts."""

    def __init__(self, environment: dict[str, str]) -> None:
        secrets = {value for name, value in environment.items() if _SECRET_NAME.search(name)}
        addresses = [value for name, value in environment.items() if _ADDRESS_NAME.search(name)]
        secrets |= {password for one in addresses if (password := _password(one))}
        longest_first = sorted((s for s in secrets if len(s) >= _MIN_SECRET_LENGTH), key=len)[::-1]
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    @classmethod
    def of_environment(cls) -> "Redactor":
        """Return one for the secrets in this process's environment."""
        return cls(child_environment({}))

    def redact(self, text: str) -> str:
        """Return the text without secrets, nor user names and passwords of addresses."""
        return redact_url(self._secrets.sub(_HIDDEN, text))

    def redact_json(self, content: Any) -> Any:
        """Return JSON without secrets in its texts; names of fields stay. TypeError for no JSON."""
        return self._redact_texts(orjson.loads(orjson.dumps(content, option=JSON_OPTIONS)))

    def _redact_texts(self, content: Any) -> Any:
        if isinstance(content, str):
            return self._secrets.sub(_HIDDEN, content)
        if isinstance(content, list):
            return [self._redact_texts(one) for one in content]
        if isinstance(content, dict):
            return {name: self._redact_texts(one) for name, one in content.items()}
        return content


class LogStream(io.TextIOBase):
    """Writes whole lines to a file descriptor; what does not fit on the disk is dropped."""

    def __init__(self, descriptor: int, redactor: Redactor) -> None:
        self._descriptor = descriptor
        self._redactor = redactor
        self._line = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What lines are written in."""
        return "utf-8"

    def fileno(self) -> int:
        """Return the descriptor, for libraries that are not written in Python."""
        return self._descriptor

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, text: str) -> int:
        """Take text; write what is complete of it."""
        begun = self._line + text
        end = max(begun.rfind("\n"), begun.rfind("\r")) + 1
        self._line = begun[end:]
        self._write(begun[:end])
        if len(self._line) > _MAX_LINE:
            self._flush_line()
        return len(text)

    def flush(self) -> None:
        """Leave the begun line alone: half a secret could not be told."""

    def close(self) -> None:
        """Write the begun line."""
        self._flush_line()
        super().close()

    def _flush_line(self) -> None:
        line, self._line = self._line, ""
        self._write(line)

    def _write(self, text: str) -> None:
        data = self._redactor.redact(text).encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise


def log_to_stderr(redactor: Redactor, level: str) -> LogStream:
    """Let standard output, standard error and logging go to where standard error goes now."""
    stream = LogStream(sys.stderr.fileno(), redactor)
    sys.stdout = sys.stderr = stream
    line_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=stream, level=level, format=line_format, force=True)
    return stream


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None

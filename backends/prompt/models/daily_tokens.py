"""Tokens of a day, counted on disk for all processes that share the folder."""

import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from backends.prompt.errors import RateLimitError

FILE_NAME = "prompt-tokens.sqlite"
# Seconds that one process waits for another that is just counting.
LOCK_SECONDS = 30.0


class DailyTokens:
    """Refuses questions once a day's tokens are used up. The day is that of UTC."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._path = folder / FILE_NAME
        self._limit = limit
        if limit:
            folder.mkdir(parents=True, exist_ok=True)

    def reserve(self, tokens: int) -> None:
        """Take the tokens that a question is expected to need; RateLimitError if too few are left.

        Correct them by `correct` once it is known what it took.
        """
        if self._limit and not self._add(tokens, self._limit):
            raise RateLimitError(
                f"PROMPT_MAX_TOKENS_PER_DAY={self._limit} tokens are used up: raise it, or ask"
                " again after midnight UTC"
            )

    def correct(self, difference: int) -> None:
        """Take what a question used above what it reserved; negative: give it back."""
        if self._limit and difference:
            self._add(difference)

    def used(self) -> int:
        """Return the tokens of today."""
        with closing(self._connect()) as database:
            row = database.execute("SELECT tokens FROM days WHERE day = ?", (_today(),)).fetchone()
        return int(row[0]) if row else 0

    def _add(self, tokens: int, limit: int | None = None) -> bool:
        """Count tokens, unless they would be more than a limit; return whether they were."""
        bound = 1 << 62 if limit is None else limit
        with closing(self._connect()) as database, database:
            database.execute("INSERT OR IGNORE INTO days VALUES (?, 0)", (_today(),))
            changed = database.execute(
                "UPDATE days SET tokens = tokens + ? WHERE day = ? AND tokens + ? <= ?",
                (tokens, _today(), tokens, bound),
            )
            return changed.rowcount == 1

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=LOCK_SECONDS)
        database.execute("CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, tokens INTEGER)")
        return database


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()

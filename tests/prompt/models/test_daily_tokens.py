from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends.prompt.errors import RateLimitError
from backends.prompt.models import daily_tokens
from backends.prompt.models.daily_tokens import DailyTokens

MESSAGE = (
    "PROMPT_MAX_TOKENS_PER_DAY=100 tokens are used up: raise it, or ask again after midnight UTC"
)


def test_tokens_above_the_limit_are_refused(tmp_path: Path) -> None:
    tokens = DailyTokens(tmp_path, 100)
    tokens.reserve(60)
    with pytest.raises(RateLimitError, match=f"^{MESSAGE}$"):
        tokens.reserve(41)
    tokens.correct(-20)  # it took 40
    tokens.reserve(60)
    assert tokens.used() == 100
    tokens.correct(+5)
    assert tokens.used() == 105, "what was used counts, also above the limit"


def test_other_process_goes_on_counting(tmp_path: Path) -> None:
    DailyTokens(tmp_path, 100).reserve(90)
    with pytest.raises(RateLimitError):
        DailyTokens(tmp_path, 100).reserve(11)


def test_next_day_begins_at_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = DailyTokens(tmp_path, 100)
    tokens.reserve(100)
    monkeypatch.setattr(daily_tokens, "_today", lambda: "2999-01-01")
    tokens.reserve(100)
    assert tokens.used() == 100


def test_no_limit_makes_no_file(tmp_path: Path) -> None:
    tokens = DailyTokens(tmp_path / "cache", 0)
    tokens.reserve(10**9)
    tokens.correct(5)
    assert not (tmp_path / "cache").exists()


def test_threads_together_stay_below_the_limit(tmp_path: Path) -> None:
    def reserve(number: int) -> bool:
        try:
            DailyTokens(tmp_path, 100).reserve(10)
        except RateLimitError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(30))) == 10

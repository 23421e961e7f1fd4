"""The order in which the processes of `make test` take the modules."""

from pathlib import Path

from .module_seconds import MODULE_SECONDS

TESTS = Path(__file__).parent


def test_each_module_exists() -> None:
    assert [name for name in MODULE_SECONDS if not (TESTS / name).is_file()] == []


def test_longest_come_first() -> None:
    assert list(MODULE_SECONDS.values()) == sorted(MODULE_SECONDS.values(), reverse=True)

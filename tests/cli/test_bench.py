"""The benchmark of `tests/bench_files.py`, with fewer tasks: memory is bounded.

Its times are not held here: on a machine with other work they say little.
"""

from pathlib import Path

import pytest

from tests.bench_files import measure


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("validate .jsonl", (100, 20_000)),
        ("validate .json", (100, 20_000)),
        ("predict", (100, 5_000)),
    ],
)
def test_memory_is_bounded(kind: str, numbers: tuple[int, ...], tmp_path: Path) -> None:
    runs = [measure(kind, tasks, tmp_path) for tasks in numbers]
    assert max(run.megabytes for run in runs) < min(run.megabytes for run in runs) + 60

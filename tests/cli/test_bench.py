"""The benchmark of `make bench-files`, with fewer tasks: memory is bounded, time is linear."""

from pathlib import Path

import pytest

from tests.bench.files import faults, measure


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("validate .jsonl", (100, 10_000, 100_000)),
        ("validate .json", (100, 10_000, 100_000)),
        ("predict", (100, 5_000, 20_000)),
    ],
)
def test_memory_is_bounded_and_time_linear(
    kind: str, numbers: tuple[int, ...], tmp_path: Path
) -> None:
    runs = [measure(kind, tasks, tmp_path) for tasks in numbers]
    assert list(faults(runs, growth=2.5)) == []
    assert max(run.megabytes for run in runs) < min(run.megabytes for run in runs) + 30
    start, _, most = runs
    least = (most.tasks - start.tasks) / (most.busy - start.busy)
    assert least > 1000, f"{least:.0f} tasks a second of the processor"

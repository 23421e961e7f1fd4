"""The benchmark of `make bench-files`, with fewer tasks: memory is bounded, time is linear."""

from pathlib import Path

import pytest

from tests.bench.files import faults, measure


@pytest.mark.parametrize(
    ("kind", "numbers", "growth_megabytes", "least_rate"),
    [
        # Neither keeps anything of a task: 12 MB would be 300 bytes of each.
        ("validate .jsonl", (100, 20_000, 40_000), 12, 1000),
        ("validate .json", (100, 20_000, 40_000), 12, 1000),
        ("predict", (100, 5_000, 20_000), 30, 1000),
        # 34 bytes of each of 20 regions stay; at 100,000 tasks that is 70 MB.
        ("evaluate", (100, 1_000, 2_500), 30, 150),
    ],
)
def test_memory_is_bounded_and_time_linear(
    kind: str,
    numbers: tuple[int, ...],
    growth_megabytes: float,
    least_rate: float,
    tmp_path: Path,
) -> None:
    runs = [measure(kind, tasks, tmp_path) for tasks in numbers]
    assert list(faults(runs, growth=2.5)) == []
    assert (
        max(run.megabytes for run in runs) < min(run.megabytes for run in runs) + growth_megabytes
    )
    start, _, most = runs
    least = (most.tasks - start.tasks) / (most.busy - start.busy)
    assert least > least_rate, f"{least:.0f} tasks a second of the processor"

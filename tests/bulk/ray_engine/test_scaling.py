"""The model of cost: the page has its table, and its number of parts is that of the division."""

from pathlib import Path

import pytest

from shared.bulk.ray_engine.division import divide
from shared.label_studio.task_file import TaskFile
from tests.bench.scaling import CORES, DAY, KINDS, PAGE, Kind, Plan, machines_for, render


def test_the_page_has_the_commands_table() -> None:
    assert render() in PAGE.read_text("utf-8"), "run python -m tests.bench.scaling"


@pytest.mark.parametrize("tasks", [1, 16, 17, 256, 300, 5000])
def test_parts_are_those_of_the_division(tasks: int, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'{"text":"a"}\n' * tasks)
    *parts, _ = divide([TaskFile(str(file))])
    assert abs(Plan(KINDS[0], tasks, 1).parts - len(parts)) <= 1


def test_twice_the_machines_take_half_the_time_of_the_actors() -> None:
    slow = Kind("slow", 1.0, 100)
    one, two = Plan(slow, 10**6, 1), Plan(slow, 10**6, 2)
    assert one.limit == two.limit == "actors"
    assert one.stages["actors"] == 2 * two.stages["actors"]
    # a million seconds of work, and 1,414 parts of 30 ms
    assert one.stages["actors"] == pytest.approx((10**6 + 42.4) / CORES, abs=0.1)


def test_fewest_machines_that_are_done_in_time() -> None:
    for kind in KINDS:
        plan = machines_for(kind, 10**8, DAY)
        assert plan.seconds <= DAY or plan.limit != "actors"
        if plan.machines > 1:
            assert Plan(kind, 10**8, plan.machines - 1).seconds > DAY

"""Changed annotations are counted once, in whichever process."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from shared.training.update_counter import UpdateCounter

SEVEN, EIGHT = "7.1", "8.1"


def test_a_training_is_due_after_so_many_changes(tmp_path: Path) -> None:
    counter = UpdateCounter(tmp_path)
    # 1, 2, 3 of 3: due; the next ones count anew, and more than the limit at once are due, too.
    due = [counter.add(SEVEN, changes, 3) for changes in (1, 1, 1, 2, 5, 1)]
    assert due == [False, False, True, False, True, False]
    assert (counter.count(SEVEN), counter.count(EIGHT)) == (1, 0)


def test_each_project_has_its_own_count_which_outlives_the_process(tmp_path: Path) -> None:
    UpdateCounter(tmp_path).add(SEVEN, 2, 10)
    UpdateCounter(tmp_path).add(EIGHT, 3, 10)
    UpdateCounter(tmp_path).add(SEVEN, 4, 10)
    assert UpdateCounter(tmp_path).counts() == {SEVEN: 6, EIGHT: 3}


def test_a_damaged_count_begins_anew(tmp_path: Path) -> None:
    counter = UpdateCounter(tmp_path)
    counter.add(SEVEN, 2, 10)
    (tmp_path / "updates" / "7.1.json").write_text('{"changes"')
    assert not counter.add(SEVEN, 1, 10)
    assert counter.counts() == {SEVEN: 1}


def test_a_project_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    UpdateCounter(tmp_path / "training").add("../../7", 1, 10)
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == ["updates"]


def test_no_change_is_lost_between_processes(tmp_path: Path) -> None:
    spawn = get_context("spawn")  # a fork would have the locks and signal handlers of other tests
    together = spawn.Barrier(4).wait
    with ProcessPoolExecutor(4, spawn, initializer=together, initargs=(100,)) as processes:
        due = list(processes.map(_count_many, [tmp_path] * 4, [50] * 4))
    # 4 processes count 50 changes each: 200, which are due 200 / 10 times.
    assert sum(due) == 20
    assert UpdateCounter(tmp_path).counts() == {}


def _count_many(train_dir: Path, changes: int) -> int:
    counter = UpdateCounter(train_dir)
    return sum(counter.add(SEVEN, 1, 10) for _ in range(changes))

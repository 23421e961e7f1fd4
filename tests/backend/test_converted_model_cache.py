import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.backend.converted_model_cache import (
    DRAFT_PREFIX,
    FOREIGN_DRAFT_SECONDS,
    fresh_folder,
    remove_left_drafts,
)

# Fills a folder until it is killed.
FILL = """
import sys, time
from pathlib import Path
from shared.backend.converted_model_cache import fresh_folder
with fresh_folder(Path(sys.argv[1])) as made:
    (made / "half").write_text("1")
    print(made, flush=True)
    time.sleep(600)
"""


def test_it_is_there_whole(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    with fresh_folder(place) as made:
        (made / "one").write_text("1")
        assert not place.exists()
    assert (place / "one").read_text() == "1"
    assert list(place.parent.iterdir()) == [place]


def test_nothing_is_there_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with fresh_folder(tmp_path / "b") as made:
            (made / "one").write_text("1")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_leaves_what_the_first_made(tmp_path: Path) -> None:
    place = tmp_path / "b"
    with fresh_folder(place) as slower:
        (slower / "one").write_text("slower")
        with fresh_folder(place) as faster:
            (faster / "one").write_text("faster")
    assert (place / "one").read_text() == "faster"
    assert list(tmp_path.iterdir()) == [place]


@contextmanager
def filled_elsewhere(place: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """The draft of a process that fills it, and the process."""
    command = [sys.executable, "-c", FILL, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Path(process.stdout.readline().strip()), process
        finally:
            process.kill()


def test_what_a_killed_process_has_left_is_deleted_by_the_next_one(tmp_path: Path) -> None:
    with filled_elsewhere(tmp_path / "a") as (draft, process):
        with fresh_folder(tmp_path / "b"):
            assert (draft / "half").exists()  # it is being filled
        process.kill()
        process.wait()
        assert (draft / "half").exists()
        with fresh_folder(tmp_path / "c"):
            assert not draft.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


def test_what_another_machine_fills_is_left_alone_for_a_day(tmp_path: Path) -> None:
    names = f"{DRAFT_PREFIX}elsewhere-new", f"{DRAFT_PREFIX}elsewhere-old", ".other"
    new, old, other = (tmp_path / name for name in names)
    for folder in (new, old, other):
        folder.mkdir()
    then = time.time() - 2 * FOREIGN_DRAFT_SECONDS
    for folder in (old, other):
        os.utime(folder, (then, then))
    remove_left_drafts(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new, other])

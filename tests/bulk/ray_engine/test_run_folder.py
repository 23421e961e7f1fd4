"""The folder of a run: one run at a time, continued where it ended, merged as it should be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.bulk.ray_engine.part_file import MAX_ATTEMPTS, PartFile, part_path
from shared.bulk.ray_engine.run_folder import FinishedPart, RunFolder, is_run_finished
from shared.errors import PrelabelError, SettingError
from shared.label_studio.import_file import ImportFile, read_failures

HEAD = {"label_config": "ab", "model_versions": ["m-1"]}
PARTS = [["a", "b"], [], ["c"]]


def write_part(folder: RunFolder, number: int, names: list[str], failed: bool = False) -> None:
    with PartFile(folder.path, number) as file:
        for name in names:
            if failed:
                file.add_failure({"index": number, "reason": name})
            file.add_task({"data": {"text": name}})
    folder.add(FinishedPart(number, file.done, file.size, f"digest {number}"))


def write_all(output: Path, failed: bool = False) -> None:
    with RunFolder(output, HEAD, False) as folder:
        for number, names in reversed(list(enumerate(PARTS))):  # they end in any order
            write_part(folder, number, names, failed)
        assert folder.done == 3
        folder.finish(3)


@pytest.mark.parametrize("name", ["o.json", "o.jsonl", "o.json.gz", "o.jsonl.gz", "new/o.jsonl"])
def test_merged_file_is_that_of_the_local_engine(name: str, tmp_path: Path) -> None:
    write_all(tmp_path / name)
    local = tmp_path / "local" / name
    with ImportFile(local, HEAD, False) as file:
        for text in "abc":
            file.add_task({"data": {"text": text}})
        file.finish()
    assert (tmp_path / name).read_bytes() == local.read_bytes()
    assert [path.name for path in (tmp_path / name).parent.iterdir() if path.is_file()] == [
        local.name
    ]
    assert is_run_finished(tmp_path / name)


def test_folder_of_parts(tmp_path: Path) -> None:
    write_all(tmp_path / "out")
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert found == {
        "part-00000.jsonl": b'{"data":{"text":"a"}}\n{"data":{"text":"b"}}\n',
        "part-00001.jsonl": b"",
        "part-00002.jsonl": b'{"data":{"text":"c"}}\n',
    }
    assert is_run_finished(tmp_path / "out")
    with pytest.raises(SettingError, match="out is not empty: delete it, or name another output"):
        RunFolder(tmp_path / "out", HEAD, False)


@pytest.mark.parametrize("name", ["out", "out.json"])
def test_failures_lie_beside_the_output_in_order(name: str, tmp_path: Path) -> None:
    write_all(tmp_path / name, failed=True)
    assert [failure["reason"] for failure in read_failures(tmp_path / name)] == ["a", "b", "c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.failures.jsonl"]


def test_failures_of_an_older_run_are_gone(tmp_path: Path) -> None:
    write_all(tmp_path / "o.json", failed=True)
    write_all(tmp_path / "o.json")
    assert list(read_failures(tmp_path / "o.json")) == []


def test_two_runs_on_one_output(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with RunFolder(output, HEAD, False):
        code = (
            "import sys, pathlib; from shared.bulk.ray_engine.run_folder import RunFolder\n"
            "RunFolder(pathlib.Path(sys.argv[1]), {}, True)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(output)], capture_output=True, text=True, timeout=60
        )
    assert ran.returncode == 1
    assert "out is being written by another run: wait for its end" in ran.stderr
    RunFolder(output, HEAD, True).__exit__(None, None, None)


def interrupted(output: Path) -> Path:
    """Parts 0 and 2 are finished, and the run has ended."""
    with RunFolder(output, HEAD, False) as folder:
        write_part(folder, 0, ["a", "b"])
        write_part(folder, 2, ["c"])
    return folder.path


def test_an_interrupted_run_is_continued_if_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "o.json"
    path = interrupted(output)
    assert not is_run_finished(output)
    with pytest.raises(SettingError, match=r"o\.json\.parts is left from an interrupted run: use"):
        RunFolder(output, HEAD, False)
    with RunFolder(output, HEAD, True) as folder:
        assert folder.digests == {0: "digest 0", 2: "digest 2"}
        assert folder.done == 3
        with pytest.raises(PrelabelError, match=r"lacks parts \(1\); continue with --resume"):
            folder.finish(3)
        write_part(folder, 1, ["x"])
        folder.finish(3)
    assert not path.exists()
    assert [task["data"]["text"] for task in json.loads(output.read_bytes())] == [
        "a",
        "b",
        "x",
        "c",
    ]


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_part_file_that_is_not_whole_is_made_again(damage: str, tmp_path: Path) -> None:
    file = part_path(interrupted(tmp_path / "out"), 0)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:10])
    else:
        file.unlink()
    with RunFolder(tmp_path / "out", HEAD, True) as folder:
        assert list(folder.digests) == [2]


def test_a_part_file_that_is_cut_during_the_run_is_not_merged(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "o.json", HEAD, False) as folder:
        write_part(folder, 0, ["a"])
        part_path(folder.path, 0).write_bytes(b'{"da')
        message = r"part-00000\.jsonl has 4 bytes, and was written with 22; continue with --resume"
        with pytest.raises(PrelabelError, match=message):
            folder.finish(1)
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize(
    ("journal", "known"),
    [(b"", []), (b'{"label_c', []), (b'{"part":2,"ta', [0])],
    ids=["empty", "cut in the header", "cut in a part"],
)
def test_a_journal_that_was_cut(journal: bytes, known: list[int], tmp_path: Path) -> None:
    file = interrupted(tmp_path / "out") / "run.jsonl"
    kept = b"".join(file.read_bytes().splitlines(True)[:2]) if known else b""
    file.write_bytes(kept + journal)
    with RunFolder(tmp_path / "out", HEAD, True) as folder:
        assert list(folder.digests) == known
        write_part(folder, 1, ["x"])
    with RunFolder(tmp_path / "out", HEAD, True) as folder:
        assert list(folder.digests) == [*known, 1]


@pytest.mark.parametrize("key", HEAD)
def test_a_run_that_was_started_differently(key: str, tmp_path: Path) -> None:
    interrupted(tmp_path / "out")
    head: dict[str, Any] = HEAD | {key: "other"}
    with pytest.raises(SettingError, match=f"was started differently: {key} was .*, is other"):
        RunFolder(tmp_path / "out", head, True)


def test_an_input_that_has_become_shorter(tmp_path: Path) -> None:
    interrupted(tmp_path / "out")
    with (
        RunFolder(tmp_path / "out", HEAD, True) as folder,
        pytest.raises(SettingError, match=r"part 1 has other tasks\. Delete .*out to begin anew"),
    ):
        folder.finish(1)


def test_output_in_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingError, match=r"file/o\.json cannot be written: Not a directory"):
        RunFolder(tmp_path / "file" / "o.json", HEAD, False)


def test_interrupted_run_of_the_other_engine(tmp_path: Path) -> None:
    with ImportFile(tmp_path / "o.json", HEAD, False):
        pass
    with pytest.raises(SettingError, match=r"o\.json\.part is left from .* of the local engine"):
        RunFolder(tmp_path / "o.json", HEAD, False)


def test_a_part_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), PartFile(tmp_path, 3) as file:
        file.add_task({"data": {"text": 1 / 0}})
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_ends_its_process_again_and_again(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from shared.bulk.ray_engine.part_file import PartFile\n"
        "PartFile(pathlib.Path(sys.argv[1]), 7).add_task({}); os._exit(9)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert ran.returncode == 9
    [left] = tmp_path.iterdir()
    for number in range(1, MAX_ATTEMPTS):
        with PartFile(tmp_path, 7):
            pass
        left.with_name(f"part-00007.jsonl.{number}.unfinished").touch()
    with pytest.raises(PrelabelError, match=r"part-00007\.jsonl was begun 5 times, and each time"):
        PartFile(tmp_path, 7)
    with RunFolder(tmp_path / "out", HEAD, False):
        pass  # a new run tries again

"""Inputs divided into parts: the same tasks with the same numbers, in the same parts each time."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.bulk.ray_engine import division
from shared.bulk.ray_engine.division import OTHER_TASKS, LineRange, Part, divide, parts_left
from shared.label_studio.task_file import TaskEntry, TaskFile
from shared.label_studio.task_sources import Inputs


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"text":"%d"}\n' % number for number in range(first, first + count))


def sources(folder: Path, **contents: bytes) -> list[TaskFile]:
    files = []
    for name, content in contents.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content)
        files.append(TaskFile(str(path), tables=True))
    return files


def entries(parts: Sequence[Part]) -> list[TaskEntry]:
    return [entry for part in parts for entry in part.entries()]


CONTENTS = {
    "lines": {"a_jsonl": lines(0, 300)},
    "no line end": {"a_jsonl": lines(0, 40).removesuffix(b"\n")},
    "blank lines": {"a_jsonl": b"\n \n" + lines(0, 20) + b"\r\n\n\t\n" + lines(20, 30)},
    "mark of UTF-8": {"a_jsonl": b"\xef\xbb\xbf" + lines(0, 20)},
    "mark alone on the first line": {"a_jsonl": b"\xef\xbb\xbf\n" + lines(0, 20)},
    "broken lines": {"a_jsonl": lines(0, 17) + b'{"text":\nnull\n7\n' + lines(17, 20)},
    "empty file": {"a_jsonl": b"", "b_jsonl": lines(0, 3)},
    "list": {"a_json": json.dumps([{"text": str(n)} for n in range(50)]).encode()},
    "list that breaks off": {
        "a_json": b'[{"text":"a"},{"text":"b"},{"tex',
        "b_jsonl": lines(0, 30),
    },
    "empty list": {"a_json": b"[]"},
    "table": {"a_csv": b"text,note\n" + b"a,b\nonly one\n" * 30},
    "gzip": {"a_jsonl_gz": gzip.compress(lines(0, 50))},
    "several": {"a_jsonl": lines(0, 20), "b_json": b'[{"text":"x"}]', "c_jsonl": lines(20, 70)},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_parts_hold_what_the_local_engine_reads(name: str, tmp_path: Path) -> None:
    files = sources(tmp_path, **CONTENTS[name])
    *parts, end = divide(files)
    assert entries(parts) == list(Inputs(files))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert end == Part(len(parts), is_end=True)


def test_part_n_has_n_tasks_and_sixteen_at_least(tmp_path: Path) -> None:
    *parts, _ = divide(sources(tmp_path, a_jsonl=lines(0, 400)))
    counts = [len(list(part.entries())) for part in parts]
    # 16 parts of 16, then 16, 17, 18, 19, 20, 21, and the 33 that are left: 22 and 11
    assert counts == [*[16] * 17, 17, 18, 19, 20, 21, 22, 11]


def test_a_part_ends_early_where_tasks_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(division, "MAX_PART_BYTES", 2000)
    monkeypatch.setattr(division, "STEP", 2)
    large = b'{"text":"%s"}\n' % (b"x" * 600)
    # lines are counted two by two, tasks one by one
    for content, counts in ((large * 9, [4, 4, 1]), (b"[%s]" % b",".join([large] * 9), [3, 3, 3])):
        *parts, _ = divide(sources(tmp_path, a_json=content))
        assert [len(list(part.entries())) for part in parts] == counts


def test_lines_are_named_by_their_place_and_not_carried(tmp_path: Path) -> None:
    [file] = sources(tmp_path, a_jsonl=lines(0, 40))
    _, second, *_ = divide([file])
    # sixteen lines: ten of 13 bytes and six of 14
    assert second.pieces == (LineRange(file.name, 16 * 13 + 6, 16, 17, 16),)
    assert second.progress == pytest.approx(32 / 40, abs=0.02)


def test_a_changed_task_changes_its_part_alone(tmp_path: Path) -> None:
    for before, after in (
        (lines(0, 60), lines(0, 60).replace(b'"20"', b'"21"')),
        (b"[1,2]", b"[1,3]"),
    ):
        old = [part.digest for part in divide(sources(tmp_path, a_json=before))]
        new = [part.digest for part in divide(sources(tmp_path, a_json=after))]
        changed = [
            number for number, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]
        ]
        assert changed == [1 if len(old) > 2 else 0]


def test_finished_parts_are_not_read_again(tmp_path: Path) -> None:
    files = sources(tmp_path, a_jsonl=lines(0, 64))
    digests = {part.number: part.digest for part in divide(files) if not part.is_end}
    assert list(digests) == [0, 1, 2, 3]
    del digests[2]
    assert [part.number for part in parts_left(files, digests)] == [2, 4]
    digests[1] = "other"
    assert list(parts_left(files, digests)) == [Part(1, problem=OTHER_TASKS)]


def test_an_input_that_cannot_be_read_comes_as_a_sentence(tmp_path: Path) -> None:
    files = sources(tmp_path, a_jsonl=lines(0, 20), b_jsonl=lines(0, 2))
    (tmp_path / "b.jsonl").unlink()
    *_, last = parts_left(files, {})
    assert last.problem == f"{tmp_path}/b.jsonl cannot be read: No such file or directory"

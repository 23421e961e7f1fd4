"""Parts of earlier datasets: read, written, and what holds where several contents stay together."""

from pathlib import Path

import pytest

from shared.errors import SettingError
from shared.evaluation.dataset.known_parts import KnownParts, PlacedTask

ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16


def test_written_and_read(tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    assert KnownParts.read(file).find([ONE]) is None
    parts = KnownParts({ONE: "train"})
    parts.place(7, PlacedTask(TWO, 0), "test")
    parts.write(file)
    again = KnownParts.read(file)
    assert [again.find([one]) for one in (ONE, TWO, THREE)] == ["train", "test", None]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b'{"train": ["zz"], "val": [], "test": []}']
)
def test_a_damaged_file_is_no_new_split(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    file.write_bytes(content)
    with pytest.raises(SettingError, match=r"split\.json, which says what is held out"):
        KnownParts.read(file)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([b"new" * 5], None, id="unknown"),
        pytest.param([b"new" * 5, ONE], "train", id="one is known"),
        pytest.param([ONE, TWO], "val", id="train and val"),
        pytest.param([THREE, TWO, ONE], "test", id="what was held out stays held out"),
    ],
)
def test_of_several_contents(contents: list[bytes], expected: str | None) -> None:
    assert KnownParts({ONE: "train", TWO: "val", THREE: "test"}).find(contents) == expected


def test_new_contents_are_moved_with_their_group() -> None:
    parts = KnownParts({ONE: "train"})
    for task, content, group in ((1, ONE, 0), (2, TWO, 1), (3, THREE, 1)):
        parts.place(task, PlacedTask(content, group), "train")
    assert parts.digest_of(2) == TWO
    assert parts.move(2, "val")
    assert [parts.find([one]) for one in (ONE, TWO, THREE)] == ["train", "val", "val"]
    assert not parts.move(1, "val"), "it was in train before"
    assert parts.find([ONE]) == "train"
    assert not parts.move(3, "test"), "it was moved already"

from pathlib import Path

import pytest

from shared.backend.converted_model_cache import fresh_folder


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

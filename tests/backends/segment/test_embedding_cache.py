"""Embeddings are kept in memory and on disk, within bounds, whatever happens to the files."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backends.segment.embedding_cache import ARRANGEMENT, EmbeddingCache, EmbeddingKey
from backends.segment.models.promptable_model import Embedding
from shared.results import ImageSize

SIZE = ImageSize(640, 480)
# In half precision 20,000 bytes.
VALUES = 10_000


def made(value: float) -> Embedding:
    arrays = {"features": np.full((1, 10, 1000), value, np.float32), "kept": np.arange(3)}
    return Embedding(arrays, SIZE)


def key(number: int, model: str = "model") -> EmbeddingKey:
    return EmbeddingKey(model, f"image{number}")


def cache(folder: Path, memory: int = 0, disk: int = 10**6) -> EmbeddingCache:
    return EmbeddingCache(folder, memory, disk)


@pytest.mark.parametrize(
    ("memory", "disk"), [(10**6, 0), (0, 10**6), (10**6, 10**6)], ids=["memory", "disk", "both"]
)
def test_what_is_put_is_got(tmp_path: Path, memory: int, disk: int) -> None:
    kept = cache(tmp_path, memory, disk)
    assert kept.get(key(1)) is None
    put = kept.put(key(1), made(1 / 3))
    got = kept.get(key(1))
    assert got is not None
    assert key(1) in kept
    assert key(2) not in kept
    assert key(1, "other") not in kept
    assert got.size == SIZE
    assert got.arrays["features"].dtype == np.float32
    assert (got.arrays["features"] == np.float32(np.float16(1 / 3))).all()
    assert all((got.arrays[name] == put.arrays[name]).all() for name in put.arrays)
    assert got.arrays["kept"].tolist() == [0, 1, 2]


def test_values_beyond_half_precision_stay_finite(tmp_path: Path) -> None:
    assert np.isfinite(cache(tmp_path).put(key(1), made(1e9)).arrays["features"]).all()


def test_another_process_finds_it(tmp_path: Path) -> None:
    cache(tmp_path).put(key(1), made(2))
    found = cache(tmp_path).get(key(1))
    assert found is not None
    assert found.arrays["features"][0, 0, 0] == 2


def test_disk_is_bounded_and_the_oldest_leaves(tmp_path: Path) -> None:
    kept = cache(tmp_path, disk=70_000)  # three of 20,000 bytes with what the format adds
    for number in range(3):
        kept.put(key(number, f"model{number}"), made(number))
        os.utime(tmp_path / f"model{number}-{ARRANGEMENT}" / f"image{number}.npz", (number, number))
    assert kept.get(key(0, "model0")) is not None  # it was used now: the second is the oldest
    kept.put(key(3), made(3))
    left = {path.stem for path in tmp_path.glob("*/*.npz")}
    assert left == {"image0", "image2", "image3"}


def test_memory_is_bounded(tmp_path: Path) -> None:
    kept = cache(tmp_path, memory=50_000, disk=0)
    for number in range(3):
        kept.put(key(number), made(number))
    assert [kept.get(key(number)) is not None for number in range(3)] == [False, True, True]


def test_an_image_stays_ready_while_bulk_work_goes_through_others(tmp_path: Path) -> None:
    kept = cache(tmp_path, memory=10**6)
    clicked = kept.put(key(0), made(0))
    for number in range(1, 4):
        kept.put(key(number), made(number))
        assert kept.get(key(0)) is clicked
    kept.put(key(4), made(4))
    kept.put(key(5), made(5))
    assert kept.get(key(0)) is not clicked


def test_larger_than_all_room_is_not_kept(tmp_path: Path) -> None:
    kept = cache(tmp_path, memory=1000, disk=1000)
    assert kept.put(key(1), made(1)).arrays["features"][0, 0, 0] == 1
    assert kept.get(key(1)) is None
    assert not list(tmp_path.glob("*/*"))


def test_without_a_disk_nothing_is_read_from_it(tmp_path: Path) -> None:
    cache(tmp_path).put(key(1), made(1))
    without = cache(tmp_path, memory=10**6, disk=0)
    assert key(1) not in without
    assert without.get(key(1)) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file", b"text"])
def test_a_broken_file_is_none(tmp_path: Path, content: bytes) -> None:
    kept = cache(tmp_path)
    kept.put(key(1), made(1))
    [path] = tmp_path.glob("*/*.npz")
    path.write_bytes(content)
    assert kept.get(key(1)) is None
    assert not path.exists()


@pytest.mark.parametrize("place", [6, 8, 10], ids=["format", "password", "compression"])
def test_a_flipped_bit_in_a_files_directory_is_none(tmp_path: Path, place: int) -> None:
    kept = cache(tmp_path)
    kept.put(key(1), made(1))
    [path] = tmp_path.glob("*/*.npz")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + place] ^= 0x81
    path.write_bytes(content)
    assert kept.get(key(1)) is None
    assert not path.exists()


def test_a_folder_that_cannot_be_written_costs_only_the_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    kept = cache(place, memory=10**6)
    kept.put(key(1), made(1))
    kept.put(key(2), made(2))
    assert kept.get(key(2)) is not None
    assert caplog.text.count("CACHE_DIR cannot be used") == 1


def put_many(folder: Path) -> int:
    kept = cache(folder, disk=100_000)
    wrong = 0
    for number in range(40):
        kept.put(key(number % 6), made(number % 6))
        found = kept.get(key((number + 3) % 6))
        wrong += found is not None and found.arrays["features"][0, 0, 0] != (number + 3) % 6
    return wrong


def test_several_share_a_folder(tmp_path: Path) -> None:
    # They share nothing but the files, as processes would.
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(put_many, [tmp_path] * 3)) == [0, 0, 0]
    left = list(tmp_path.glob("*/*"))
    assert sum(path.stat().st_size for path in left) <= 100_000
    assert {path.suffix for path in left} == {".npz"}

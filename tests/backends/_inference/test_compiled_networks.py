"""What compiling a network has worked out is read by the next start, and only by one it fits."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends._inference.compiled_networks import FOLDER, compile_file, remove_oldest
from tests.backends.damage import change_byte

pytest.importorskip("openvino")

HINTS = {"INFERENCE_PRECISION_HINT": "f32"}
GIVEN = np.linspace(-1, 1, 64, dtype=np.float32)[None]


def save_network(path: Path, seed: int) -> Path:
    """Save a small network with its weights beside it."""
    import openvino
    from openvino import opset13 as operations

    given = operations.parameter([-1, 64], np.float32)
    weights = np.random.default_rng(seed).normal(size=(64, 32)).astype(np.float32)
    product = operations.matmul(given, operations.constant(weights), False, False)
    network = openvino.Model([operations.relu(product)], [given])
    openvino.save_model(network, path, compress_to_fp16=False)
    return path


def output_of(compiled: Any) -> Any:
    return np.array(compiled(GIVEN)[0])


def was_kept(compiled: Any) -> bool:
    return bool(compiled.get_property("LOADED_FROM_CACHE"))


def kept_files(cache_dir: Path) -> list[Path]:
    return list((cache_dir / FOLDER).rglob("*.blob"))


def test_the_next_start_reads_it_and_finds_the_same(tmp_path: Path) -> None:
    path = save_network(tmp_path / "model.xml", 1)
    expected = output_of(compile_file(path, HINTS))
    compiled = [compile_file(path, HINTS, tmp_path) for _ in range(2)]
    assert list(map(was_kept, compiled)) == [False, True]
    assert all(np.array_equal(output_of(one), expected) for one in compiled)
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    [file] = kept_files(tmp_path)
    assert file.stat().st_size < path.with_suffix(".bin").stat().st_size + path.stat().st_size


def test_without_a_cache_nothing_is_written(tmp_path: Path) -> None:
    path = save_network(tmp_path / "model.xml", 1)
    compile_file(path, HINTS)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.bin", "model.xml"]


def test_other_weights_or_hints_are_compiled_anew(tmp_path: Path) -> None:
    path = save_network(tmp_path / "model.xml", 1)
    before = output_of(compile_file(path, HINTS, tmp_path))
    assert not was_kept(compile_file(path, HINTS | {"NUM_STREAMS": 1}, tmp_path))
    save_network(path, 2)  # its graph is the same
    os.utime(path, (1, 1))
    os.utime(path.with_suffix(".bin"), (2, 2))
    compiled = compile_file(path, HINTS, tmp_path)
    assert not was_kept(compiled)
    expected = output_of(compile_file(path, HINTS))
    assert np.array_equal(output_of(compiled), expected)
    assert not np.array_equal(before, expected)


@pytest.mark.parametrize("left", [0, 10, 1000, -1])
def test_half_of_it_is_made_again(left: int, tmp_path: Path) -> None:
    """As a disk leaves it that fills up, or a process that is killed."""
    path = save_network(tmp_path / "model.xml", 1)
    expected = output_of(compile_file(path, HINTS, tmp_path))
    [file] = kept_files(tmp_path)
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(whole[:left])
    for _ in range(2):
        compiled = compile_file(path, HINTS, tmp_path)
        assert np.array_equal(output_of(compiled), expected)
    assert was_kept(compiled)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    """Of a file that has the weights in it, OpenVINO would find something else."""
    path = save_network(tmp_path / "model.xml", 1)
    expected = output_of(compile_file(path, HINTS, tmp_path))
    [file] = kept_files(tmp_path)
    change_byte(file)
    assert not was_kept(compile_file(path, HINTS, tmp_path))
    compiled = compile_file(path, HINTS, tmp_path)
    assert was_kept(compiled)
    assert np.array_equal(output_of(compiled), expected)


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    path = save_network(tmp_path / "model.xml", 1)
    (tmp_path / "file").touch()
    compiled = compile_file(path, HINTS, tmp_path / "file")
    assert np.array_equal(output_of(compiled), output_of(compile_file(path, HINTS)))


def test_what_was_used_longest_ago_is_deleted(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "newer", "oldest")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.blob").write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    remove_oldest(tmp_path, 250)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["newer", "newest"]
    remove_oldest(tmp_path / "none", 250)


def test_a_use_is_noted(tmp_path: Path) -> None:
    path = save_network(tmp_path / "model.xml", 1)
    compile_file(path, HINTS, tmp_path)
    [folder] = (tmp_path / FOLDER).iterdir()
    os.utime(folder, (1, 1))
    assert was_kept(compile_file(path, HINTS, tmp_path))
    assert folder.stat().st_mtime > 1

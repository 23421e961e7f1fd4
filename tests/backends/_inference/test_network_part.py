"""A converted part of a network runs whatever becomes of the files that it was read from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from backends._inference.checksums import CHECKSUMS_FILE
from backends._inference.network_part import (
    OPENVINO_FILE,
    ConvertedPart,
    OpenVinoPart,
    PartSource,
    TorchPart,
    part_folder,
)
from tests.backends.damage import change_byte

ROW = np.arange(12, dtype=np.float32).reshape(2, 6)


@pytest.fixture(scope="module")
def source() -> PartSource:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh())
    return PartSource("small", lambda: network, lambda: [[ROW], [ROW[:1]]])


@pytest.fixture
def part(source: PartSource, tmp_path: Path) -> OpenVinoPart:
    """A part that was just converted, on a machine that has a core to leave."""
    found = ConvertedPart(source, tmp_path).load()
    found._threads = 2
    return found


def is_right(part: OpenVinoPart, source: PartSource, leaves_core: bool = False) -> bool:
    [expected] = TorchPart(source.build(), "cpu").run([ROW])
    [found] = part.run([ROW], leaves_core)
    return bool(np.abs(found - expected).max() < 1e-4)


def test_what_was_just_converted_can_leave_a_core(part: OpenVinoPart, source: PartSource) -> None:
    assert is_right(part, source)
    assert is_right(part, source, leaves_core=True)
    assert part._fewer_threads is not part._requests


def test_an_emptied_cache_costs_only_the_core(
    part: OpenVinoPart, source: PartSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(tmp_path / "openvino")
    assert is_right(part, source, leaves_core=True)
    assert is_right(part, source, leaves_core=True)
    assert caplog.text.count("takes all cores") == 1


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_half_a_file_is_converted_again(
    part: OpenVinoPart,
    source: PartSource,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
) -> None:
    path = (part_folder(source.key, tmp_path) / OPENVINO_FILE).with_suffix(suffix)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.unlink()  # what is loaded has the file mapped
    path.write_bytes(half)
    assert is_right(ConvertedPart(source, tmp_path).load(), source)
    assert path.stat().st_size > len(half)
    assert caplog.text.count("made again") == 1


def test_a_changed_byte_is_found(
    part: OpenVinoPart, source: PartSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = (part_folder(source.key, tmp_path) / OPENVINO_FILE).with_suffix(".bin")
    right = path.read_bytes()
    change_byte(path)
    assert is_right(ConvertedPart(source, tmp_path).load(), source)
    assert path.read_bytes() == right
    assert "cannot be loaded: model.bin is damaged: its checksum is another one" in caplog.text
    (path.parent / CHECKSUMS_FILE).write_text("[")
    assert is_right(ConvertedPart(source, tmp_path).load(), source)
    assert "cannot be loaded: checksums.json is damaged" in caplog.text
    (path.parent / CHECKSUMS_FILE).unlink()  # as earlier versions wrote it
    made = path.stat().st_mtime_ns
    assert is_right(ConvertedPart(source, tmp_path).load(), source)
    assert path.stat().st_mtime_ns == made

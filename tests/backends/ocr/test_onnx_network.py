"""A network of RapidOCR's package gives the same, whatever it was compiled from."""

from pathlib import Path

import numpy as np
import pytest

from backends.ocr.engines.onnx_network import load_network
from backends.ocr.engines.rapidocr import find_weights

pytest.importorskip("openvino")
pytest.importorskip("rapidocr")


def test_what_an_earlier_start_compiled_gives_the_same(tmp_path: Path) -> None:
    path = find_weights()[1]
    batch = np.random.default_rng(5).random((2, 3, 48, 192), np.float32)
    expected = load_network(path, "openvino").run(batch)
    for _ in range(2):
        assert np.array_equal(load_network(path, "openvino", tmp_path).run(batch), expected)
    assert list(tmp_path.rglob("*.blob"))


def test_metadata_is_read_from_the_file() -> None:
    network = load_network(find_weights()[2], "openvino")
    assert len(network.read_metadata("character").splitlines()) > 1000

"""Copies in int8 by NNCF: of a network with a layer that must not be rounded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backends._inference.openvino import import_openvino, openvino_core
from backends._inference.quantization import Agreement, Copy, Layers, Quantization

SHAPE = (1, 4, 16, 16)
LAYERS = ("first", "second")


class Nearness:
    """Two outputs agree where no number differs by more than `limit`."""

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def read(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> Any:
        return outputs[0].copy()

    def distance(self, expected: Sequence[Any], found: Sequence[Any]) -> float:
        largest = float(np.abs(np.stack(expected) - np.stack(found)).max())
        return 0.0 if largest <= self._limit else 1 + largest


AGREEMENT = Agreement(f"{__name__}:Nearness", {"limit": 0.4})


def pictures(count: int) -> list[NDArray[np.float32]]:
    """Numbers up to 1, but for the first channel's, which are a thousand times as large."""
    draw = np.random.default_rng(5)
    made = [draw.random(SHAPE, np.float32) for _ in range(count)]
    return [one * np.array([1000, 1, 1, 1], np.float32).reshape(1, 4, 1, 1) for one in made]


def save_network(path: Path) -> None:
    """Two convolutions; in int8 the first one would lose what the small channels say."""
    package = import_openvino()
    opset, draw = package.opset13, np.random.default_rng(3)
    given = opset.parameter(SHAPE, np.float32, name="numbers")
    weights = [draw.standard_normal((4, 4, 3, 3)).astype(np.float32) / 6 for _ in LAYERS]
    weights[0][:, 0] /= 1000
    flowing = given
    for name, one in zip(LAYERS, weights, strict=True):
        convolution = opset.convolution(flowing, one, [1, 1], [1, 1], [1, 1], [1, 1])
        convolution.set_friendly_name(name)
        flowing = opset.relu(convolution)
    package.save_model(package.Model([flowing], [given], "two"), path, compress_to_fp16=False)


def distance(path: Path, copy: Copy) -> float:
    """How far a copy is from the network on other numbers."""
    networks = [openvino_core().compile_model(one, "CPU") for one in (path, copy.path)]
    compared = Nearness(0.4)
    outputs = [[compared.read([], [run([one])[0]]) for one in pictures(6)] for run in networks]
    return compared.distance(*outputs)


def test_layers_that_keep_a_copy_from_agreeing_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    path = tmp_path / "network.xml"
    save_network(path)
    quantization = Quantization(path, ([one] for one in pictures(6)), tmp_path)
    whole = quantization.make(Layers("both convolutions", LAYERS))
    assert whole.title == "both convolutions"
    assert distance(path, whole) > 1
    mixed = quantization.make(Layers("the 2 convolutions", LAYERS, agreement=AGREEMENT))
    assert mixed.title == "1 of the 2 convolutions"
    assert distance(path, mixed) == 0


def save_linear_network(path: Path) -> None:
    """Two layers; half of what the first gives is a thousand times as large as the rest."""
    package = import_openvino()
    opset, draw = package.opset13, np.random.default_rng(3)
    given = opset.parameter((-1, 16), np.float32, name="numbers")
    flowing = given
    scale = np.where(np.arange(16) < 2, 1000, 1).astype(np.float32)
    weights = [draw.standard_normal((16, 16)).astype(np.float32) for _ in LAYERS]
    weights = [weights[0] * scale, weights[1] / scale[:, None]]
    for name, one in zip(LAYERS, weights, strict=True):
        product = opset.matmul(flowing, opset.constant(one), False, False)
        product.set_friendly_name(name)
        flowing = opset.relu(product)
    package.save_model(package.Model([flowing], [given], "two"), path, compress_to_fp16=False)


def test_what_is_left_out_of_linear_layers_keeps_its_weights(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    path, draw = tmp_path / "network.xml", np.random.default_rng(4)
    save_linear_network(path)
    items = [draw.standard_normal((4, 16)).astype(np.float32) for _ in range(6)]
    quantization = Quantization(path, ([one] for one in items), tmp_path)
    agreement = Agreement(f"{__name__}:Nearness", {"limit": 0.01})
    copy = quantization.make(Layers("2 layers", LAYERS, transformer=True, agreement=agreement))
    assert copy.title == "0 of 2 layers"
    networks = [openvino_core().compile_model(one, "CPU") for one in (path, copy.path)]
    expected, found = (np.stack([run([one])[0] for one in items]) for run in networks)
    np.testing.assert_allclose(found, expected, atol=1e-3)

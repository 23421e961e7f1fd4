"""Networks in OpenVINO's format: converted once from the PyTorch weights, kept in the cache."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What a network of texts may take, in the order in which it is converted."""


PRECISIONS = ("bf16", "f32")
"""What the processor counts in, the fastest first; without instructions for bf16, both are f32."""


def make(network: Any, inputs: Sequence[str], kept: Path) -> None:
    """Convert the network into the folder `kept`, unless it is there."""
    if not (kept / "model.xml").is_file():
        _convert(_openvino(), network, inputs, kept)


def load(
    inputs: Sequence[str], kept: Path, precision: str
) -> Callable[[Mapping[str, NDArray[np.int64]]], NDArray[np.float32]]:
    """The converted network from its folder."""
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    compiled = _openvino().Core().compile_model(kept / "model.xml", "CPU", hints)

    def forward(given: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = compiled([given[name] for name in inputs])[0]
        return found

    return forward


def _openvino() -> Any:
    """The package, which otherwise tells its makers of each conversion over the network."""
    import openvino
    from openvino.tools.ovc import telemetry_stub, telemetry_utils

    telemetry_utils.tm = telemetry_stub
    return openvino


def _convert(openvino: Any, network: Any, inputs: Sequence[str], kept: Path) -> None:
    """Write the folder beside its place and move it there whole, whoever else does the same."""
    import torch

    class Logits(torch.nn.Module):
        """The network with its inputs in our order and its logits alone."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any) -> Any:
            return self.network(**dict(zip(inputs, given, strict=True))).logits

    example = tuple(torch.ones((2, 16), dtype=torch.int64) for _ in inputs)
    shapes = [([-1, -1], openvino.Type.i64) for _ in inputs]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about code that is not ours
        model = openvino.convert_model(Logits(), example_input=example, input=shapes)
    kept.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=kept.parent))
    try:
        openvino.save_model(model, made / "model.xml")
        with suppress(OSError):  # another process was faster
            os.replace(made, kept)
    finally:
        shutil.rmtree(made, ignore_errors=True)

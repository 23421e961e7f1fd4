"""An ONNX file that finds boxes, run by OpenVINO or ONNX Runtime."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import InferRequestPool, openvino_core
from shared.backend.installation import extra_command
from shared.errors import ModelError

Array = NDArray[Any]
# Outputs by name, without the axis of the batch.
Outputs = Mapping[str, Array]


class OnnxNetwork(Protocol):
    """Safe to call from `concurrency` threads. `engine` says in words what it runs on.

    `outputs` are the names of what it gives.
    """

    engine: str
    concurrency: int
    outputs: Sequence[str]

    def run(self, images: Array) -> Outputs:
        """Return the outputs for one image (1, 3, height, width)."""


class OpenVinoNetwork:
    """Several images at once, one per stream."""

    engine = "OpenVINO in f32"

    def __init__(self, path: Path) -> None:
        core = openvino_core()
        model = core.read_model(path)
        _check_inputs([one.any_name for one in model.inputs], path.name)
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        self._requests = InferRequestPool(core.compile_model(model, "CPU", hints), spare=1)
        self.concurrency = self._requests.streams + 1
        self.outputs: Sequence[str] = [one.any_name for one in model.outputs]

    def run(self, images: Array) -> Outputs:
        with self._requests.infer([images]) as outputs:
            named = zip(self.outputs, outputs, strict=True)
            return {name: np.array(values) for name, values in named}


class OnnxRuntimeNetwork:
    """One image on all cores; a second thread prepares the next."""

    engine = "ONNX Runtime"
    concurrency = 2

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.log_severity_level = 3
        self._session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in self._session.get_inputs()]
        _check_inputs(names, path.name)
        self._input = names[0]
        self.outputs: Sequence[str] = [one.name for one in self._session.get_outputs()]

    def run(self, images: Array) -> Outputs:
        found = self._session.run(None, {self._input: images})
        return dict(zip(self.outputs, found, strict=True))


def open_network(path: Path, engine: str) -> OnnxNetwork:
    """Open a file on the engine that ENGINE names; ModelError if it cannot run it."""
    try:
        return OnnxRuntimeNetwork(path) if engine == "onnx" else OpenVinoNetwork(path)
    except (ModelError, ImportError):
        raise
    except Exception as error:  # both engines raise many kinds
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"ENGINE={engine} cannot run {path.name}: {reason}") from error


def installed_engines() -> list[str]:
    """Return which engines are installed, the faster one first; ModelError if there is none."""
    packages = {"openvino": "openvino", "onnx": "onnxruntime"}
    found = [engine for engine, package in packages.items() if importlib.util.find_spec(package)]
    if not found:
        raise ModelError(
            "An ONNX network needs openvino or onnxruntime: install the extra, e.g."
            f" {extra_command('onnx')}"
        )
    return found


def _check_inputs(names: Sequence[str], file: str) -> None:
    if len(names) != 1:
        raise ModelError(f"{file} takes {', '.join(names)}; expected: one input, the image")

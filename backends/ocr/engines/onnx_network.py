"""A network of RapidOCR's package, run by OpenVINO or ONNX Runtime: one array in, one out."""

import importlib.util
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import InferRequestPool, import_openvino

Array = NDArray[Any]
# Inputs at the same time: each has a part of the cores and memory of its own.
MOST_STREAMS = 8


class Network(Protocol):
    """Many threads may call it at once. What it answers does not depend on the others."""

    def __call__(self, batch: Array) -> Array:
        """The output of a batch of shape (n, 3, height, width), float32."""

    def note(self, key: str) -> str:
        """A text that was stored in the file beside the weights."""


def cores() -> int:
    """Those that this process may use."""
    known = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(known(0)) if known else os.cpu_count() or 1


def network(path: Path, engine: str) -> Network:
    """On `openvino`, `onnx` or, for any other name, the faster of those that are installed."""
    if engine not in {"openvino", "onnx"}:
        engine = "openvino" if importlib.util.find_spec("openvino") else "onnx"
    return _OpenVino(path) if engine == "openvino" else _OnnxRuntime(path)


class _OpenVino:
    """A stream a core: small inputs on one core each are faster than one on all of them."""

    def __init__(self, path: Path) -> None:
        core = import_openvino().Core()
        self._notes = core.read_model(path)
        streams = min(cores(), MOST_STREAMS)
        options = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": cores()}
        self._requests = InferRequestPool(core.compile_model(self._notes, "CPU", options))

    def __call__(self, batch: Array) -> Array:
        with self._requests.infer([batch]) as outputs:
            return outputs[0].copy()

    def note(self, key: str) -> str:
        return str(self._notes.get_rt_info()["framework"][key].value)


class _OnnxRuntime:
    """A core a call."""

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: Array) -> Array:
        return np.asarray(self._session.run(None, {self._input: batch})[0])

    def note(self, key: str) -> str:
        return str(self._session.get_modelmeta().custom_metadata_map[key])

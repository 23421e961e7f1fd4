"""A network of RapidOCR's package, run by OpenVINO or ONNX Runtime: one array in, one out."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import openvino

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
        core = openvino().Core()
        self._notes = core.read_model(path)
        streams = min(cores(), MOST_STREAMS)
        options = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": cores()}
        compiled = core.compile_model(self._notes, "CPU", options)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._free.put(compiled.create_infer_request())

    def __call__(self, batch: Array) -> Array:
        with self._request() as request:
            request.infer([batch], share_inputs=True)
            return np.array(request.get_output_tensor().data)

    def note(self, key: str) -> str:
        return str(self._notes.get_rt_info()["framework"][key].value)

    @contextmanager
    def _request(self) -> Iterator[Any]:
        request = self._free.get()
        try:
            yield request
        finally:
            self._free.put(request)


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

"""A network in an ONNX file, run by OpenVINO or ONNX Runtime."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends._inference.compiled_networks import compile_file
from backends._inference.device import available_cores
from backends._inference.openvino import InferRequestPool, openvino_core

Array = NDArray[Any]
T = TypeVar("T")
# Streams of a network at most: each holds a part of the cores and buffers of its own.
MAX_STREAMS = 8


class Network(Protocol):
    """Safe to call from many threads; no output depends on what else runs.

    For people `name` is what it runs on.
    """

    name: str

    def run(self, batch: Array) -> Array:
        """Return the output for a batch of shape (n, 3, height, width), float32."""

    def read(self, batch: Array, reader: Callable[[Array], T]) -> T:
        """Return what a reader takes from the output for a batch; the output is not kept."""

    def run_all(self, inputs: Sequence[Array]) -> list[Array]:
        """Return all outputs for all inputs, in the order of the file."""

    def read_metadata(self, key: str) -> str:
        """Return a text that is stored in the file beside the weights."""


def load_network(
    path: Path, engine: str, cache_dir: Path | None = None, precision: str = ""
) -> Network:
    """Load it on "openvino" or "onnx"; for any other name, on the faster one that is installed.

    With `cache_dir`, what OpenVINO works out of it is kept there. Without a `precision`, such as
    "f32", OpenVINO takes bf16 where the processor computes in it.
    """
    if library_of(engine) == "openvino":
        return OpenVinoNetwork(path, cache_dir, precision)
    return OnnxRuntimeNetwork(path)


def library_of(engine: str) -> str:
    """Return the name of the library that runs networks for this engine."""
    if engine == "openvino" or (engine != "onnx" and importlib.util.find_spec("openvino")):
        return "openvino"
    return "onnxruntime"


class OpenVinoNetwork:
    """Runs a stream on each core: small inputs are faster on one core each than on all of them."""

    def __init__(self, path: Path, cache_dir: Path | None = None, precision: str = "") -> None:
        self._path = path
        cores = available_cores()
        options: dict[str, Any] = {
            "NUM_STREAMS": min(cores, MAX_STREAMS),
            "INFERENCE_NUM_THREADS": cores,
        }
        if precision:
            options["INFERENCE_PRECISION_HINT"] = precision
        compiled = compile_file(path, options, cache_dir)
        taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.name = f"OpenVINO in {taken}"
        self._requests = InferRequestPool(compiled)

    def run(self, batch: Array) -> Array:
        return self.read(batch, np.copy)

    def read(self, batch: Array, reader: Callable[[Array], T]) -> T:
        with self._requests.infer([batch]) as outputs:
            return reader(outputs[0])

    def run_all(self, inputs: Sequence[Array]) -> list[Array]:
        with self._requests.infer(inputs) as outputs:
            return [output.copy() for output in outputs]

    def read_metadata(self, key: str) -> str:
        # Its weights, which come with it, are not kept: those that it is compiled to are others.
        model = openvino_core().read_model(self._path)
        return str(model.get_rt_info()["framework"][key].value)


class OnnxRuntimeNetwork:
    """Runs each call on one core."""

    name = "ONNX Runtime"

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input_names = [one.name for one in self._session.get_inputs()]

    def run(self, batch: Array) -> Array:
        return self.run_all([batch])[0]

    def read(self, batch: Array, reader: Callable[[Array], T]) -> T:
        return reader(self.run(batch))

    def run_all(self, inputs: Sequence[Array]) -> list[Array]:
        named = dict(zip(self._input_names, inputs, strict=True))
        return list(map(np.asarray, self._session.run(None, named)))

    def read_metadata(self, key: str) -> str:
        return str(self._session.get_modelmeta().custom_metadata_map[key])

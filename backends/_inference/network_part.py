"""A part of a network on PyTorch or OpenVINO, with the same outputs.

For networks that are run as they are, image encoders and such: from arrays to arrays.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends._inference.device import choose_device
from backends._inference.openvino import (
    InferRequestPool,
    import_openvino,
    openvino_core,
    save_network,
)
from backends._inference.parity import load_verified
from backends._inference.short_process import ProcessFailedError
from backends._inference.torch_conversion import trace_to_openvino
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Increase it when the conversion changes: networks converted before are then converted again.
CONVERSION_VERSION = 1
OPENVINO_FILE = "model.xml"
# How far 99.9 % of a part's outputs may lie from PyTorch's, as a fraction of their spread.
MAX_DEVIATION = 0.01

Arrays = list[NDArray[Any]]
Converted = TypeVar("Converted")


class Part(Protocol):
    """Runs a part of a network, from several threads at once. `name` tells on what."""

    name: str

    def run(self, inputs: Sequence[NDArray[Any]], leaves_core: bool = False) -> Arrays:
        """Return the outputs, as arrays of their own; on all cores of a CPU, or all but one."""


@dataclass(frozen=True)
class PartSource:
    """How a part is had: its torch module, and inputs for trying it.

    `key` names it in the cache, and is different for other weights. A dimension of an input that
    differs among the `examples` may be of any length.
    """

    key: str
    build: Callable[[], Any]
    examples: Callable[[], Sequence[Sequence[NDArray[Any]]]]


class TorchPart:
    """PyTorch, one call at a time: a call keeps all cores of a CPU busy.

    Its number of threads is that of the process, so no call leaves a core. One that is to gives way
    by the priority of its thread instead, and has a turn of its own: no click waits for it.
    """

    def __init__(self, network: Any, device: str) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._turns = {leaves_core: threading.Lock() for leaves_core in (False, True)}
        self.name = f"PyTorch on {device}"

    def run(self, inputs: Sequence[NDArray[Any]], leaves_core: bool = False) -> Arrays:
        import torch

        with self._turns[leaves_core], torch.inference_mode():
            tensors = [torch.from_numpy(np.ascontiguousarray(a)).to(self._device) for a in inputs]
            outputs = self._network(*tensors)
            listed = outputs if isinstance(outputs, tuple | list) else [outputs]
            return [tensor.float().cpu().numpy() for tensor in listed]


class OpenVinoPart:
    """OpenVINO on a CPU, in single precision: outputs are to be PyTorch's.

    What leaves a core is a network of its own, which is compiled when it is first asked for, from
    `folder`. If that cannot be read any more, nothing leaves a core.
    """

    name = "OpenVINO in f32"

    def __init__(self, folder: Path, file: str = OPENVINO_FILE) -> None:
        self.folder, self._file = folder, file
        compiled = self._compile({})
        self._threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        self._requests = InferRequestPool(compiled)
        self._compiling = threading.Lock()
        self._fewer_threads: InferRequestPool | None = None

    def run(self, inputs: Sequence[NDArray[Any]], leaves_core: bool = False) -> Arrays:
        arrays = [np.ascontiguousarray(array) for array in inputs]
        requests = self._requests_with_fewer_threads() if leaves_core else self._requests
        with requests.infer(arrays) as outputs:
            return [np.array(output) for output in outputs]

    def _compile(self, options: dict[str, Any]) -> Any:
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino_core()
        model = core.read_model(self.folder / self._file)
        return core.compile_model(model, "CPU", hints | options)

    def _requests_with_fewer_threads(self) -> InferRequestPool:
        if self._threads < 2:
            return self._requests
        with self._compiling:
            if self._fewer_threads is None:
                self._fewer_threads = self._compile_with_fewer_threads()
            return self._fewer_threads

    def _compile_with_fewer_threads(self) -> InferRequestPool:
        try:
            compiled = self._compile({"INFERENCE_NUM_THREADS": self._threads - 1})
        except RuntimeError as error:  # somebody has emptied the cache
            first_line = str(error).splitlines()[0]
            logger.warning(
                "%s takes all cores: it cannot be read again: %s", self.folder, first_line
            )
            return self._requests
        return InferRequestPool(compiled)


@dataclass(frozen=True)
class ConvertedPart:
    """The conversion of a part to OpenVINO, which is used if it gives what PyTorch gives."""

    source: PartSource
    cache_dir: Path

    @cached_property
    def network(self) -> Any:
        """The torch module: built only for a conversion that is new."""
        return self.source.build().eval()

    def load(self) -> OpenVinoPart:
        """Return the converted part; ModelError if it differs too far from PyTorch's."""
        folder = part_folder(self.source.key, self.cache_dir)
        part = load_verified(folder, self._convert, OpenVinoPart, self._describe_deviation)
        part.folder = folder  # one that was just converted has been moved there
        return part

    def _convert(self, folder: Path) -> None:
        import torch

        package = import_openvino()
        examples = self.source.examples()
        inputs = [torch.from_numpy(array) for array in examples[0]]
        shapes = [
            package.PartialShape(_common_shape(arrays)) for arrays in zip(*examples, strict=True)
        ]
        model = trace_to_openvino(self.network, inputs, shapes)
        save_network(model, folder / OPENVINO_FILE)

    def _describe_deviation(self, part: OpenVinoPart) -> str:
        reference = TorchPart(self.network, "cpu")
        worst = 0.0
        for inputs in self.source.examples():
            for output, expected in zip(part.run(inputs), reference.run(inputs), strict=True):
                spread = float(expected.std()) or 1.0
                worst = max(worst, float(np.quantile(np.abs(output - expected), 0.999)) / spread)
        if worst <= MAX_DEVIATION:
            return ""
        return f"1 in 1000 of its outputs differ from PyTorch's by {worst:.2g} of their spread"


def part_folder(key: str, cache_dir: Path) -> Path:
    """Return the folder of a part's conversion."""
    packages = "-".join(version(name) for name in ("openvino", "torch"))
    return cache_dir / "openvino" / f"{key}-{packages}-{CONVERSION_VERSION}"


def runs_converted(settings: Settings) -> bool:
    """Return whether parts are converted to OpenVINO, as far as that works."""
    if settings.engine == "onnx" or settings.engine == "torch":
        return False
    return choose_device(settings) == "cpu"


def _common_shape(arrays: Sequence[NDArray[Any]]) -> list[int]:
    sizes = zip(*(array.shape for array in arrays), strict=True)
    return [lengths[0] if len(set(lengths)) == 1 else -1 for lengths in sizes]


def load_part(source: PartSource, settings: Settings) -> Part:
    """Load a part on the engine and device that ENGINE and DEVICE say.

    By default that is OpenVINO on a CPU, and PyTorch on a GPU. ModelError if ENGINE names an
    engine that cannot run it.
    """
    if settings.engine == "onnx":
        raise ModelError(
            f"ENGINE=onnx: {source.key} runs on openvino or torch (auto: the faster one)"
        )
    device = choose_device(settings)
    if not runs_converted(settings):
        return TorchPart(source.build(), device)
    converted = ConvertedPart(source, settings.cache_dir)
    found, reason = try_conversion(source.key, converted.load, settings)
    if found is not None:
        return found
    part = TorchPart(source.build(), device)
    part.name += f": {reason}"
    return part


def try_conversion(
    key: str, load: Callable[[], Converted], settings: Settings
) -> tuple[Converted | None, str]:
    """Return what `load` gives, or why nothing is converted, which is logged.

    ModelError if ENGINE=openvino asks for it.
    """
    try:
        return load(), ""
    except Exception as error:  # a converter raises many kinds
        is_ours = isinstance(error, ModelError | ProcessFailedError)
        reason = str(error) if is_ours else type(error).__name__
        if settings.engine == "openvino":
            logger.error("OpenVINO cannot run %s", key, exc_info=error)
            raise ModelError(
                f"ENGINE=openvino cannot run {key}: {reason}; ENGINE=torch runs it"
            ) from None
        logger.warning(
            "%s runs on PyTorch: %s; ENGINE=openvino logs the full reason, ENGINE=torch skips the"
            " conversion",
            key,
            reason,
        )
        return None, reason

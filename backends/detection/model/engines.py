"""What runs a network: PyTorch, OpenVINO or ONNX Runtime, each with the same outputs."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any, ClassVar, Protocol

from backends._inference.openvino import import_openvino
from backends.detection.model.letterbox import Floats
from shared.media.image import Pixels

# Shapes for which OpenVINO is compiled on their own: those of three image sizes.
MOST_SHAPES = 21


class Engine(Protocol):
    """Runs a network. `name` says which and how, for the log.

    `threads` may run at once; `together` is the number of images of one shape in a run.
    """

    name: str
    threads: int
    together: int

    def run(self, pixels: Pixels) -> AbstractContextManager[Sequence[Floats]]:
        """The outputs for images (n, height, width, 3), to be read inside the context only."""


class Torch:
    """The reference; on a GPU in half precision."""

    threads = 1  # a head keeps what it computed last; models that share the network wait

    def __init__(self, ready: Any, device: str, half: bool) -> None:
        self._network = (ready.half() if half else ready).to(device)
        self._device = device
        self._lock = threading.Lock()
        self.together = 16 if device.startswith("cuda") else 1
        self.name = f"PyTorch on {device}" + (" in half precision" if half else "")

    @contextmanager
    def run(self, pixels: Pixels) -> Iterator[Sequence[Floats]]:
        import torch

        with self._lock, torch.inference_mode():
            found = self._network(torch.from_numpy(pixels).to(self._device))
            outputs = [part.float().cpu().numpy() for part in found]
        yield outputs


class OpenVino:
    """On a CPU, several images at once: as many as its streams, each on a part of the cores.

    It is fastest where it knows the shape before, so it is compiled for each of `shapes` (height,
    width) that comes; all others share one that takes any. Which one an image takes depends on
    its shape alone: in less than single precision their roundings differ.
    """

    together = 1

    def __init__(self, path: Path, shapes: Collection[tuple[int, int]], precision: str) -> None:
        self._core = import_openvino().Core()
        self._path, self._precision = path, precision
        self._shapes = frozenset(shapes)
        self._compiled: dict[tuple[int, int] | None, _Compiled] = {}
        self._lock = threading.Lock()
        self.threads = self._for(None).requests + 1  # one prepares or reads meanwhile
        self.name = f"OpenVINO in {precision}"

    def expect(self, shapes: Collection[tuple[int, int]]) -> None:
        """Compile for further shapes, of another image size, as long as they are not many.

        Each has a copy of the weights; the shapes of further sizes run on the one for any.
        """
        with self._lock:
            more = self._shapes | frozenset(shapes)
            if len(more) <= MOST_SHAPES:
                self._shapes = more

    @contextmanager
    def run(self, pixels: Pixels) -> Iterator[Sequence[Floats]]:
        shape = pixels.shape[1], pixels.shape[2]
        with self._for(shape if shape in self._shapes else None).infer(pixels) as outputs:
            yield outputs

    def _for(self, shape: tuple[int, int] | None) -> "_Compiled":
        found = self._compiled.get(shape)
        if found is None:
            with self._lock:
                if shape not in self._compiled:
                    self._compiled[shape] = self._compile(shape)
                found = self._compiled[shape]
        return found

    def _compile(self, shape: tuple[int, int] | None) -> "_Compiled":
        model = self._core.read_model(self._path)
        if shape is not None:
            model.reshape([1, *shape, 3])
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": self._precision,
        }
        return _Compiled(self._core.compile_model(model, "CPU", hints))


class _Compiled:
    """All its requests are made at once: making one holds the interpreter while another runs."""

    def __init__(self, model: Any) -> None:
        self.requests = int(model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._free: LifoQueue[Any] = LifoQueue()  # the last one used is in the caches
        for _ in range(self.requests + 1):
            self._free.put(model.create_infer_request())

    @contextmanager
    def infer(self, pixels: Pixels) -> Iterator[Sequence[Floats]]:
        request = self._free.get()
        try:
            request.infer([pixels], share_inputs=True)
            yield [tensor.data for tensor in request.output_tensors]
        finally:
            self._free.put(request)


class Onnx:
    """On a CPU, by ONNX Runtime."""

    together = 1
    threads = 2
    name = "ONNX Runtime"
    provider: ClassVar[str] = "CPUExecutionProvider"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path, providers=[self.provider])

    @contextmanager
    def run(self, pixels: Pixels) -> Iterator[Sequence[Floats]]:
        yield self._session.run(None, {"pixels": pixels})

"""The engines that run a network, with the same outputs: PyTorch, OpenVINO and ONNX Runtime."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from backends._inference.compiled_networks import compile_file
from backends._inference.openvino import InferRequestPool, import_openvino, openvino_core
from backends.detection.model.letterbox import Floats
from backends.detection.model.trunk import head_inputs, pool_cells
from shared.media.image import Pixels

# Input shapes for which OpenVINO is compiled: the common ones of three image sizes. Each has its
# own copy of the weights.
MAX_COMPILED_SHAPES = 21


class Engine(Protocol):
    """Runs a network. `name` tells the log which engine it is and in which precision.

    `note` is why it is not a faster one. `concurrency` threads may call it at once; `batch_size`
    images of one shape share a run.
    """

    name: str
    note: str
    concurrency: int
    batch_size: int

    def run(self, pixels: Pixels, *inputs: Floats) -> AbstractContextManager[Sequence[Floats]]:
        """Return the outputs for images (n, height, width, 3), valid only inside the context.

        `inputs` are the others that the network has: the embeddings of words.
        """

    def pool_features(self, pixels: Pixels, grid: int = 1) -> Sequence[Floats] | None:
        """Return the means of each feature map that the head gets, in grid × grid cells.

        Of shape (n, channels × grid²) each. None if the engine gives nothing but the outputs.
        """


class TorchEngine:
    """PyTorch: the reference on a CPU, in half precision on a GPU."""

    # A head caches its anchors between calls, so models that share the network take turns.
    concurrency = 1
    note = ""

    def __init__(self, network: Any, device: str, half: bool) -> None:
        self._network = (network.half() if half else network).to(device)
        self._device = device
        self._lock = threading.Lock()
        # One image keeps all cores of a CPU busy, but not a GPU.
        self.batch_size = 16 if device.startswith("cuda") else 1
        self.name = f"PyTorch on {device}" + (" in half precision" if half else "")

    @contextmanager
    def run(self, pixels: Pixels, *inputs: Floats) -> Iterator[Sequence[Floats]]:
        import torch

        with self._lock, torch.inference_mode():
            given = [torch.from_numpy(one).to(self._device) for one in (pixels, *inputs)]
            tensors = self._network(*given)
            outputs = [tensor.float().cpu().numpy() for tensor in tensors]
        yield outputs

    def pool_features(self, pixels: Pixels, grid: int = 1) -> Sequence[Floats]:
        import torch

        seen: list[Floats] = []

        def pool(_: Any, inputs: Any) -> None:
            maps = inputs[0] if isinstance(inputs[0], list | tuple) else [inputs[0]]
            for one in maps:
                cells = torch.nn.functional.adaptive_avg_pool2d(one.float(), grid)
                seen.append(cells.flatten(1).cpu().numpy())

        hook = self._network.network.model[-1].register_forward_pre_hook(pool)
        try:
            with self.run(pixels):
                return seen
        finally:
            hook.remove()


class OpenVinoEngine:
    """OpenVINO on a CPU: several images at once, one per stream, each on a part of the cores.

    It is fastest for a shape that it was compiled for, so it is compiled for each of `shapes`
    (height, width) when the first image of it comes; all others share one model for any shape.
    Which of them an image gets depends on its shape only, never on the load: in bf16 their
    rounding differs, and the same image must give the same boxes.
    """

    batch_size = 1
    note = ""

    def __init__(
        self,
        path: Path,
        shapes: Collection[tuple[int, int]],
        precision: str,
        cache_dir: Path | None = None,
    ) -> None:
        self._core = openvino_core()
        self._path, self._precision, self._cache_dir = path, precision, cache_dir
        self._shapes = frozenset(shapes)
        self._compiled: dict[tuple[int, int] | None, InferRequestPool] = {}
        self._lock = threading.Lock()
        # One thread more than streams, to prepare an image or decode an output meanwhile.
        self.concurrency = self._compiled_for(None).streams + 1
        self.name = f"OpenVINO in {precision}"

    def add_shapes(self, shapes: Collection[tuple[int, int]]) -> None:
        """Compile for the shapes of another image size, too, if that stays within the limit.

        If not, they run on the model for any shape.
        """
        with self._lock:
            union = self._shapes | frozenset(shapes)
            if len(union) <= MAX_COMPILED_SHAPES:
                self._shapes = union

    @contextmanager
    def run(self, pixels: Pixels, *inputs: Floats) -> Iterator[Sequence[Floats]]:
        shape = pixels.shape[1], pixels.shape[2]
        model = self._compiled_for(shape if shape in self._shapes else None)
        with model.infer([pixels, *inputs]) as outputs:
            yield outputs

    def pool_features(self, pixels: Pixels, grid: int = 1) -> Sequence[Floats] | None:
        if self._trunk is None:
            return None
        with self._trunk.infer([pixels]) as maps:
            return [pool_cells(one, grid) for one in maps]

    @cached_property
    def _trunk(self) -> InferRequestPool | None:
        """The network up to its head, for any shape, compiled when it is first asked for."""
        model = self._core.read_model(self._path)
        maps = head_inputs(model)
        if not maps:
            return None
        trunk = import_openvino().Model(maps, model.get_parameters(), "trunk")
        hints = {"INFERENCE_PRECISION_HINT": self._precision}
        return InferRequestPool(self._core.compile_model(trunk, "CPU", hints))

    def _compiled_for(self, shape: tuple[int, int] | None) -> InferRequestPool:
        model = self._compiled.get(shape)
        if model is None:
            with self._lock:
                if shape not in self._compiled:
                    self._compiled[shape] = self._compile_shape(shape)
                model = self._compiled[shape]
        return model

    def _compile_shape(self, shape: tuple[int, int] | None) -> InferRequestPool:
        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": self._precision,
        }
        if shape is None:
            compiled = compile_file(self._path, hints, self._cache_dir)
            return InferRequestPool(compiled, spare=1)
        model = self._core.read_model(self._path)
        model.reshape({model.inputs[0]: [1, *shape, 3]})
        return InferRequestPool(self._core.compile_model(model, "CPU", hints), spare=1)


class OnnxEngine:
    """ONNX Runtime on a CPU."""

    batch_size = 1
    concurrency = 2  # one thread prepares an image or decodes an output while the other runs
    name = "ONNX Runtime"
    note = ""
    provider: ClassVar[str] = "CPUExecutionProvider"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path, providers=[self.provider])

    @contextmanager
    def run(self, pixels: Pixels, *inputs: Floats) -> Iterator[Sequence[Floats]]:
        names = [one.name for one in self._session.get_inputs()]
        yield self._session.run(None, dict(zip(names, (pixels, *inputs), strict=True)))

    def pool_features(self, pixels: Pixels, grid: int = 1) -> None:
        return None

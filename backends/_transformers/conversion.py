"""Networks in OpenVINO's format: converted once from the PyTorch weights, kept in the cache."""

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import has_bf16, openvino

# What a network of texts may take, in the order in which it is converted.
INPUTS = ("input_ids", "attention_mask", "token_type_ids")

# Its file; another one beside it has the weights.
MODEL = "model.xml"

# Tokens of the rows that a conversion is shown, where so many fit.
EXAMPLE = 16

# Linear layers, by their names' ends, whose output another one takes: it stays in bf16.
INSIDE = ("query", "key", "value", "intermediate.dense", "q_lin", "k_lin", "v_lin", "lin1")

Logits = NDArray[np.float32]
Inputs = Mapping[str, NDArray[np.int64]]


class NetworkRunner(Protocol):
    """Runs batches, several at once where it can, and gives their logits in their order."""

    @property
    def at_once(self) -> int:
        """How many batches run at once."""

    def __call__(self, batches: Iterable[Inputs]) -> list[Logits]:
        """The logits of each batch: (rows, tokens, labels) or (rows, labels)."""


def precisions() -> list[str]:
    """What the processor counts in, the fastest first."""
    return ["bf16", "f32"] if has_bf16() else ["f32"]


def make(network: Any, inputs: Sequence[str], room: int, precision: str, folder: Path) -> None:
    """Convert the network into an empty folder; the network itself stays as it is.

    `room` is how many tokens fit it at once.

    With bf16, matrices are multiplied in it. What flows past them from layer to layer, and its
    normalization, stays in f32: rounded there, errors would be twice as large and more.
    """
    if precision == "bf16":
        network = _halved(copy.deepcopy(network))
    _convert(openvino(), network, inputs, min(room, EXAMPLE), folder)


def load(inputs: Sequence[str], folder: Path) -> "OpenVinoRunner":
    """The converted network from its folder."""
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    package = openvino()
    compiled = package.Core().compile_model(folder / MODEL, "CPU", hints)
    return OpenVinoRunner(inputs, package.AsyncInferQueue(compiled))


class OpenVinoRunner:
    """A network in OpenVINO: a core, or a few, for each batch, and as many batches at once."""

    def __init__(self, inputs: Sequence[str], queue: Any) -> None:
        self._inputs = inputs
        self._queue = queue
        queue.set_callback(_take)

    @property
    def at_once(self) -> int:
        """How many batches run at once."""
        return len(self._queue)

    def __call__(self, batches: Iterable[Inputs]) -> list[Logits]:
        """The logits of each batch."""
        found: dict[int, Logits] = {}
        for number, batch in enumerate(batches):
            self._queue.start_async([batch[name] for name in self._inputs], (found, number))
        self._queue.wait_all()
        return [found[number] for number in range(len(found))]


def _take(request: Any, place: tuple[dict[int, Logits], int]) -> None:
    """Keep what a request found: its memory is the next one's."""
    found, number = place
    found[number] = request.get_output_tensor(0).data.copy()


def _halved(network: Any) -> Any:
    """Its linear layers, but for the last one, in bf16, whatever they are given."""
    import torch

    def take(_: Any, given: Any) -> Any:
        return (given[0].to(torch.bfloat16),)

    def give(_: Any, given: Any, found: Any) -> Any:
        return found.float()

    linear = [pair for pair in network.named_modules() if isinstance(pair[1], torch.nn.Linear)]
    for name, module in linear[:-1]:
        module.to(torch.bfloat16)
        module.register_forward_pre_hook(take)
        if not name.endswith(INSIDE):
            module.register_forward_hook(give)
    return network


def _convert(package: Any, network: Any, inputs: Sequence[str], width: int, folder: Path) -> None:
    import torch

    class Logits(torch.nn.Module):
        """The network with its inputs in our order and its logits alone."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any) -> Any:
            return self.network(**dict(zip(inputs, given, strict=True))).logits.float()

    example = tuple(torch.ones((2, width), dtype=torch.int64) for _ in inputs)
    shapes = [([-1, -1], package.Type.i64) for _ in inputs]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about code that is not ours
        model = package.convert_model(Logits(), example_input=example, input=shapes)
    package.save_model(model, folder / MODEL)

"""What runs a network on batches of tokens: PyTorch or OpenVINO."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.compiled_networks import compile_file
from backends._inference.openvino import InferRequestPool, import_openvino, openvino_core

# shape (rows, tokens, labels) for token classifiers, (rows, labels) for sequence classifiers
Logits = NDArray[np.float32]
# shape (rows, tokens, hidden) and (rows, hidden)
HiddenStates = NDArray[np.float32]
# The arrays of a batch by input name, shape (rows, tokens) each.
Batch = Mapping[str, NDArray[np.int64]]

# Name of a converted network's file; the weights lie beside it.
OPENVINO_FILE = "model.xml"
# "f32" keeps what the conversion left in f32: only the layers that it put into bf16 run in it.
HINTS = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}


class NetworkRunner(Protocol):
    """Runs batches, `concurrency` of them at once.

    For people `name` is what it runs on, and `note` why on nothing faster.
    """

    name: str
    note: str

    @property
    def concurrency(self) -> int:
        """Return how many batches run at once."""

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch, in their order."""

    def run_trunk(self, batches: Iterable[Batch]) -> list[HiddenStates]:
        """Return what the last linear layer, which gives the logits, makes them of."""


class TorchRunner:
    """Runs a PyTorch network on a device, one batch after the other."""

    concurrency = 1
    note = ""

    def __init__(self, network: Any, device: str) -> None:
        self._network = network.to(device)
        self._device = device
        self.name = f"PyTorch on {device}"

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch."""
        import torch

        with torch.inference_mode():
            return [self._run_batch(torch, batch) for batch in batches]

    def run_trunk(self, batches: Iterable[Batch]) -> list[HiddenStates]:
        """Return what the last linear layer gets."""
        import torch

        seen: list[HiddenStates] = []
        layers = [one for one in self._network.modules() if isinstance(one, torch.nn.Linear)]
        hook = layers[-1].register_forward_pre_hook(
            lambda _, inputs: seen.append(inputs[0].float().cpu().numpy())
        )
        try:
            self.run(batches)
        finally:
            hook.remove()
        return seen

    def _run_batch(self, torch: Any, batch: Batch) -> Logits:
        tensors = {name: torch.from_numpy(ids).to(self._device) for name, ids in batch.items()}
        logits: Logits = self._network(**tensors).logits.float().cpu().numpy()
        return logits


class OpenVinoRunner:
    """Runs a converted network on the CPU, which each stream shares with the others."""

    note = ""

    def __init__(
        self, folder: Path, input_names: Sequence[str], cache_dir: Path | None = None
    ) -> None:
        self.folder = folder
        self.name = "OpenVINO"
        self._input_names = input_names
        self._requests = InferRequestPool(compile_file(folder / OPENVINO_FILE, HINTS, cache_dir))
        self._threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="openvino")

    @property
    def concurrency(self) -> int:
        """Return the number of streams."""
        return self._requests.streams

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch."""
        return list(self._threads.map(partial(self._run_batch, self._requests), batches))

    def run_trunk(self, batches: Iterable[Batch]) -> list[HiddenStates]:
        """Return what the last linear layer gets, of each batch."""
        return list(self._threads.map(partial(self._run_batch, self._trunk_requests), batches))

    @cached_property
    def _trunk_requests(self) -> InferRequestPool:
        """The network without its last layer, compiled when it is first asked for."""
        model = openvino_core().read_model(self.folder / OPENVINO_FILE)
        trunk = _without_last_layer(model)
        return InferRequestPool(openvino_core().compile_model(trunk, "CPU", HINTS))

    def _run_batch(self, requests: InferRequestPool, batch: Batch) -> NDArray[np.float32]:
        with requests.infer([batch[name] for name in self._input_names]) as outputs:
            return outputs[0].copy()


def _without_last_layer(model: Any) -> Any:
    """Return the part of an OpenVINO model before the last multiplication with weights."""
    node = model.get_results()[0].input_value(0).get_node()
    while node.get_type_name() != "MatMul":  # over the bias and conversions of the precision
        node = node.input_value(0).get_node()
    return import_openvino().Model([node.input_value(0)], model.get_parameters(), "trunk")


def softmax(logits: Logits) -> Logits:
    """Return probabilities that add up to 1 along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities

"""What runs a network on batches of tokens: PyTorch or OpenVINO."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import InferRequestPool, import_openvino

# shape (rows, tokens, labels) for token classifiers, (rows, labels) for sequence classifiers
Logits = NDArray[np.float32]
# The arrays of a batch by input name, shape (rows, tokens) each.
Batch = Mapping[str, NDArray[np.int64]]

# Name of a converted network's file; the weights lie beside it.
OPENVINO_FILE = "model.xml"


class NetworkRunner(Protocol):
    """Runs batches, `concurrency` of them at once."""

    @property
    def concurrency(self) -> int:
        """Return how many batches run at once."""

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch, in their order."""


class TorchRunner:
    """Runs a PyTorch network on a device, one batch after the other."""

    concurrency = 1

    def __init__(self, network: Any, device: str) -> None:
        self._network = network.to(device)
        self._device = device

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch."""
        import torch

        with torch.inference_mode():
            return [self._run_batch(torch, batch) for batch in batches]

    def _run_batch(self, torch: Any, batch: Batch) -> Logits:
        tensors = {name: torch.from_numpy(ids).to(self._device) for name, ids in batch.items()}
        logits: Logits = self._network(**tensors).logits.float().cpu().numpy()
        return logits


class OpenVinoRunner:
    """Runs a converted network on the CPU, which each stream shares with the others."""

    def __init__(self, folder: Path, input_names: Sequence[str]) -> None:
        # "f32" keeps what the conversion left in f32: only the layers that it put into bf16 run
        # in bf16.
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        model = import_openvino().Core().compile_model(folder / OPENVINO_FILE, "CPU", hints)
        self._input_names = input_names
        self._requests = InferRequestPool(model)
        self._threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="openvino")

    @property
    def concurrency(self) -> int:
        """Return the number of streams."""
        return self._requests.streams

    def run(self, batches: Iterable[Batch]) -> list[Logits]:
        """Return the logits of each batch."""
        return list(self._threads.map(self._run_batch, batches))

    def _run_batch(self, batch: Batch) -> Logits:
        with self._requests.infer([batch[name] for name in self._input_names]) as outputs:
            return outputs[0].copy()


def softmax(logits: Logits) -> Logits:
    """Return probabilities that add up to 1 along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities

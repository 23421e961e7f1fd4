"""OpenVINO, used from several threads at once."""

import errno
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.backend.process_resources import OncePerProcess
from shared.settings import restrain_libraries

_import_lock = threading.Lock()


def import_openvino() -> Any:
    """Return the package `openvino`, safe to use from any thread.

    OpenVINO fills its type tables on first use. Two threads that did so at once waited for each
    other while holding the interpreter, and the process hung, deaf even to signals (seen in
    2026.4). So one thread fills them here, behind a lock.
    """
    restrain_libraries()
    with _import_lock:
        import openvino as package

        package.Type(np.uint8).to_dtype()
        _ = package.Tensor(np.zeros(1, np.uint8), shared_memory=True).data
    return package


def openvino_core() -> Any:
    """Return the one core of this process, which compiles all models, in any thread.

    It lives as long as the process. With its last core OpenVINO frees the stack on which the thread
    that used it first handles signals: if another thread let go of it, the next signal would end
    the process (seen in 2026.4).
    """
    return _core.get()


def save_network(model: Any, path: Path, half_weights: bool = False) -> None:
    """Write a model of OpenVINO; OSError if the disk has no room for it."""
    try:
        import_openvino().save_model(model, path, compress_to_fp16=half_weights)
    except RuntimeError as error:
        if "iostream" not in str(error):  # all that it says of a full disk
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        said = f"writing {path.name} failed, with {free:,.0f} MB free on its disk"
        raise OSError(errno.EIO, said) from None


def supports_bf16() -> bool:
    """Return whether this CPU computes in bf16."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


_core: OncePerProcess[Any] = OncePerProcess(lambda: import_openvino().Core())


class InferRequestPool:
    """The infer requests of a compiled model, which threads borrow for one inference each.

    `streams` is how many of them the engine runs at once; `spare` further ones can be read or
    filled meanwhile.
    """

    def __init__(self, compiled_model: Any, spare: int = 0) -> None:
        self.streams = int(compiled_model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        # Last in, first out: the memory of the request used last is still in the CPU's caches.
        self._idle: LifoQueue[Any] = LifoQueue()
        # All are created now: creating one holds the interpreter while others are running.
        for _ in range(self.streams + spare):
            self._idle.put(compiled_model.create_infer_request())

    @contextmanager
    def infer(self, inputs: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
        """Yield the outputs of one inference; their memory is the next one's after the context."""
        request = self._idle.get()
        try:
            # Without `share_outputs` it would copy them all, for a result that nobody reads.
            request.infer(inputs, share_inputs=True, share_outputs=True)
            yield [tensor.data for tensor in request.output_tensors]
        finally:
            self._idle.put(request)

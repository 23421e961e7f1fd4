"""The package `openvino`, as threads may use it."""

import threading
from typing import Any

import numpy as np

from shared.settings import hold_libraries

_lock = threading.Lock()


def openvino() -> Any:
    """The package; what it makes when it is first used is made, by one thread.

    It fills its tables of types when they are first asked for. Where two threads did so at once,
    each waited for the other while it held the interpreter: the process answered nothing any
    more, not even a signal (seen in 2026.4).
    """
    hold_libraries()
    with _lock:
        import openvino as package

        package.Type(np.uint8).to_dtype()
        _ = package.Tensor(np.zeros(1, np.uint8), shared_memory=True).data
    return package


def has_bf16() -> bool:
    """Whether it can count in bf16 on this CPU."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")

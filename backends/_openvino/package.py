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

        tensor = package.Tensor(np.zeros(1, np.uint8), shared_memory=True)
        assert tensor.element_type.to_dtype() == tensor.data.dtype
        assert package.Type(np.uint8) == tensor.element_type
    return package

"""What OpenVINO does to threads: it hung those that used it first, and broke their signals."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from backends._inference.openvino import (
    InferRequestPool,
    import_openvino,
    openvino_core,
    save_network,
)

pytest.importorskip("openvino")

HANGS = 900
"""Seconds after which a program hangs: on a busy machine importing OpenVINO alone took over 60."""

PROGRAM = """
import sys, threading
from backends._inference.openvino import import_openvino
sys.setswitchinterval(1e-6)
begin = threading.Barrier(3)

def use():
    begin.wait()
    package = import_openvino()
    assert package.Type.u8.to_dtype() == "uint8"

threads = [threading.Thread(target=use) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("used")
"""


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    package = import_openvino()
    operations = package.opset13
    row = operations.parameter([1, 1000], np.float32)
    weights = operations.constant(np.ones((1000, 1000), np.float32))
    model = package.Model([operations.matmul(row, weights, False, False)], [row], "one layer")
    (tmp_path / "model.bin").symlink_to("/dev/full")
    with pytest.raises(
        OSError, match=r"writing model\.xml failed, with [\d,]+ MB free on its disk"
    ):
        save_network(model, tmp_path / "model.xml")
    save_network(model, tmp_path / "other.xml")
    assert (tmp_path / "other.bin").stat().st_size >= 4_000_000


def test_first_use_in_several_threads() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=True)
    assert ran.stdout == "used\n"


SIGNAL_AFTER_A_MODEL_IS_LET_GO = """
import os, signal, threading
import numpy as np
from backends._inference.openvino import import_openvino, openvino_core
from openvino import opset13 as operations

def compile():
    given = operations.parameter([1, 3], np.float32)
    model = import_openvino().Model([operations.relu(given)], [given])
    return openvino_core().compile_model(model, "CPU")

models = [compile()]
other = threading.Thread(target=models.clear)
other.start()
other.join()
signal.signal(signal.SIGTERM, lambda number, frame: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_signals_are_handled_after_another_thread_let_go_of_the_last_model() -> None:
    command = [sys.executable, "-c", SIGNAL_AFTER_A_MODEL_IS_LET_GO]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert (ran.stdout, ran.returncode) == ("handled\n", 0)


def test_outputs_are_not_copied() -> None:
    """They may be megabytes: they are read where the engine has left them."""
    from openvino import opset13 as operations

    given = operations.parameter([1, 1000], np.float32)
    wide = operations.tile(operations.relu(given), np.array([1000, 1]))
    model = import_openvino().Model([wide], [given])
    requests = InferRequestPool(openvino_core().compile_model(model, "CPU"))
    row = np.arange(1000, dtype=np.float32)[None]
    tracemalloc.start()
    try:
        with requests.infer([row]) as outputs:
            assert outputs[0].shape == (1000, 1000)
            assert np.array_equal(outputs[0][-1], row[0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000

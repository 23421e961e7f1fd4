"""OpenVINO is first used by several threads at once, which made them hang."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

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


def test_first_use_in_several_threads() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "used\n"

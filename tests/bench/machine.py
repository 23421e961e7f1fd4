"""The machine that a benchmark runs on: its name, and how slow it is."""

import os
import platform
import re
import resource
import subprocess
import sys
from pathlib import Path

REFERENCE_SECONDS = 0.15
"""Processor seconds of `measure_slowness` on a quiet AMD EPYC, where starts got their bounds."""


def machine() -> str:
    """The machine in words: processor, cores and what of it counts for networks."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    name = re.search(r"model name\s*:\s*(.+)", text)
    kinds = [kind for kind in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if kind in text]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {name[1] if name else platform.machine()} ({', '.join(kinds)})"


def measure_slowness(tries: int = 3) -> float:
    """How much slower this machine is now, at least 1, than the one that bounds were set on.

    In processor seconds of what is like a command's start; none of it is ours.
    """
    code = (
        "import asyncio, decimal, email.message, http.client, sqlite3, ssl, xml.etree.ElementTree"
    )
    used = []
    for _ in range(tries):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        used.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - sum(before[:2]))
    return max(1.0, min(used) / REFERENCE_SECONDS)

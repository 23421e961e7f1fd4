"""The machine that a benchmark runs on: its name, and how slow it is."""

import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REFERENCE_SECONDS = 0.15
"""Processor seconds of `measure_slowness` on a quiet AMD EPYC, where starts got their bounds."""
INTERPRETER_SECONDS = 0.021
"""Seconds of `interpreter_slowness` there, by CPython 3.11, while no other guest uses the core."""
_TEXTS = tuple(
    f"{number}: The second of 3 May, 20% of it, and the first of June." for number in range(400)
)
_PATTERN = re.compile(r"\b\d{1,2} (?:may|june|july)\b|\b(?:first|second)\b", re.IGNORECASE)


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


def interpreter_slowness() -> float:
    """How much slower Python runs just now than where bounds were set, at least 1.

    By what is like the work of a server, as the clock sees it: expressions on texts, dictionaries,
    JSON. None of it is ours.
    """
    start = time.perf_counter()
    answers = []
    for number, text in enumerate(_TEXTS):
        found = [
            {"id": number, "value": {"start": one.start(), "end": one.end(), "text": one.group()}}
            for one in _PATTERN.finditer(text)
        ]
        ends = sorted((one["value"]["end"], one["id"]) for one in found)
        answers.append({"result": found, "ends": ends, "score": None})
    json.dumps(answers, indent=1)  # with an indent it is written by Python, not by C
    return max(1.0, (time.perf_counter() - start) / INTERPRETER_SECONDS)


def at_pace(rounds: int, work: Callable[[], float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the figures of a work, and how much slower Python ran just before and after each.

    The pace may change from one second to the next. A first round, which warms, is not counted.
    """
    figures, slowness = list[float](), list[float]()
    for _ in range(rounds + 1):
        before = interpreter_slowness()
        figures.append(work())
        slowness.append((before + interpreter_slowness()) / 2)
    return tuple(figures[1:]), tuple(slowness[1:])

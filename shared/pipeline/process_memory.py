"""The memory of this process, as the system counts it."""

import ctypes
import gc
import mmap
import sys
from typing import NamedTuple

import psutil


class Resident(NamedTuple):
    """Bytes that the process has by itself, and those that files are mapped into, as weights are.

    The system takes pages of libraries that are not used away, which would hide what a model takes.
    """

    own: int
    mapped: int

    @classmethod
    def now(cls) -> "Resident":
        """Return what the process has in use; only Linux tells what is mapped."""
        if sys.platform != "linux":
            return cls(int(psutil.Process().memory_info().rss), 0)
        with open("/proc/self/statm", "rb") as file:  # a tenth of what psutil takes
            pages = [int(count) * mmap.PAGESIZE for count in file.read().split()]
        return cls(pages[1] - pages[2], pages[2])

    def growth_since(self, before: "Resident") -> int:
        """Return by how much either part has grown; what has become less hides nothing."""
        return max(0, self.own - before.own) + max(0, self.mapped - before.mapped)


def resident_bytes() -> int:
    """Return how much memory this process has in use."""
    return sum(Resident.now())


def release_memory(collect: bool = True) -> None:
    """Give the memory of what is no longer used back to the system, after collecting garbage."""
    if collect:
        gc.collect()
    # glibc keeps what was freed in the arena of each thread.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)

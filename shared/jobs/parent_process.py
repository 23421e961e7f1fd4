"""A process that does not outlive its parent, where the kernel can see to it."""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with(parent: int, number: signal.Signals) -> bool:
    """Let this process get a signal when its parent ends: prctl(2), on Linux.

    Returns whether the parent is still there: False if it ended before this call.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent
